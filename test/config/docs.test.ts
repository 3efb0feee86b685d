import { readFileSync } from 'node:fs';
import { configJsonSchema } from '../../src/config/json-schema.js';
import { parseConfig } from '../../src/config/load.js';
import { ConfigError } from '../../src/config/problem.js';
import { everyKey } from './support.js';

const page = readFileSync(new URL('../../docs/config.md', import.meta.url), 'utf8');
const blocks = (language: string) =>
  [...page.matchAll(/^```(\w+)\n(.*?)^```$/gms)]
    .filter(([, name]) => name === language)
    .map(([, , text]) => text!);
const examples = blocks('yaml').filter((text) => text.startsWith('# countersign.yaml'));

test.each(examples.map((text, i) => [i + 1, text]))('example %d of the page is valid', (_, text) => {
  const outcome = parseConfig(String(text), { file: 'countersign.yaml', env: {} });
  expect(outcome instanceof ConfigError ? outcome.message : 'valid').toBe('valid');
});

test('every YAML block of the page is such an example', () => {
  expect(examples.length).toBeGreaterThan(0);
  expect(blocks('yaml')).toEqual(examples);
});

test.each(everyKey(configJsonSchema()).filter(([, { properties }]) => properties === undefined))(
  'the page has a row for %s, with its default',
  (key, schema, required) => {
    const [, cell] = page.split(`\n| \`${key}\` | `)[1]?.match(/^(.*?) \|/) ?? [];
    const initial = Array.isArray(schema.default) ? `[${schema.default.join(', ')}]` : schema.default;
    const none = required ? 'required' : 'none';
    expect(cell).toBe(initial === undefined ? none : `\`${String(initial)}\``);
  },
);

test.each(everyKey(configJsonSchema()).filter(([, { properties }]) => properties !== undefined))(
  'the page has a heading for %s',
  (key) => {
    expect(
      page.split('\n').filter((line) => line.startsWith('## ') && line.includes(`\`${key}\``)),
    ).toHaveLength(1);
  },
);

test('the page has a row for nothing else', () => {
  const rows = [...page.matchAll(/^\| `([^`]+)` \|/gm)].map(([, key]) => key);
  const keys = new Set(everyKey(configJsonSchema()).map(([key]) => key));
  expect(rows.filter((key) => !keys.has(key!))).toEqual([]);
});

test('the errors that the page shows are what such a file gets', () => {
  const text = [
    '# countersign.yaml',
    'identity:',
    '  trust_domains: { example.org: { bundle: ./example.org.pem } }',
    'policy: { path: ./policies }',
    'token:',
    '  issuers:',
    '    - issuer: https://idp.example.org',
    '      audiences: [orders]',
    '      audience: orders',
    '      jwks: discovery',
    '      max_lifetime: 1h',
    '      clock_skew: 6m',
  ].join('\n');
  const outcome = parseConfig(text, { file: 'countersign.yaml', env: {} });
  expect(blocks('text')).toEqual([`${(outcome as Error).message}\n`]);
});
