import { configJsonSchema, type JsonSchema } from '../../src/config/json-schema.js';
import { everyKey } from './support.js';

const schema = configJsonSchema() as JsonSchema & Record<string, unknown>;

test('is draft 2020-12, with a title and without an $id', () => {
  expect(schema.$schema).toBe('https://json-schema.org/draft/2020-12/schema');
  expect(schema.title).toBe('Countersign configuration');
  expect(schema).not.toHaveProperty('$id');
});

test.each(everyKey(schema))('%s has a description', (_, part) => {
  expect(part.description).toMatch(/\.$/);
});

test('refuses unknown keys in every mapping', () => {
  const open: string[] = [];
  const visit = (part: JsonSchema, name: string) => {
    if (part.properties !== undefined && part.additionalProperties !== false) open.push(name);
    for (const [key, inner] of Object.entries(part.properties ?? {})) visit(inner, `${name}.${key}`);
    if (part.items) visit(part.items, `${name}[]`);
    if (typeof part.additionalProperties === 'object') visit(part.additionalProperties, `${name}.*`);
  };
  visit(schema, '');
  expect(open).toEqual([]);
});

test('describes durations as they are written', () => {
  const grace = everyKey(schema).find(([key]) => key === 'shutdown_grace')?.[1] as JsonSchema & {
    pattern: string;
  };
  expect(grace).toMatchObject({ type: 'string', default: '10s' });
  expect('250ms').toMatch(new RegExp(grace.pattern));
  expect('10').not.toMatch(new RegExp(grace.pattern));
});

test('asks for what has no default, and for nothing else', () => {
  const required = (part: JsonSchema | undefined) => (part as { required?: string[] }).required;
  const issuer = schema.properties?.token?.properties?.issuers?.items;
  expect(required(schema)).toEqual(['identity', 'policy']);
  expect(required(issuer)).toEqual(['issuer', 'audiences']);
  expect(issuer?.properties?.algorithms?.default).toEqual(['RS256', 'ES256']);
});

test('can be written as JSON', () => {
  expect(JSON.parse(JSON.stringify(schema))).toEqual(schema);
});
