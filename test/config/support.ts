import type { JsonSchema } from '../../src/config/json-schema.js';
import { parseConfig } from '../../src/config/load.js';
import { ConfigError, type ConfigProblem } from '../../src/config/problem.js';
import type { Config } from '../../src/config/schema.js';

export const FILE = '/etc/countersign/countersign.yaml';

/** A file with one issuer and nothing that has a default; `issuer` and `rest` are further lines of it. */
export function configText({ issuer = '', jwks = './jwks.json', rest = '' } = {}): string {
  return [
    'identity:',
    '  trust_domains:',
    '    example.org: { bundle: ./example.org.pem }',
    'policy: { path: ./policies }',
    'token:',
    '  issuers:',
    '    - issuer: https://idp.example.org',
    '      audiences: [orders]',
    `      jwks: ${jwks}`,
    ...(issuer === '' ? [] : [`      ${issuer}`]),
    ...(rest === '' ? [] : [rest]),
    '',
  ].join('\n');
}

export function parsed(text: string, env: Record<string, string> = {}): Config {
  const outcome = parseConfig(text, { file: FILE, env });
  if (outcome instanceof ConfigError) throw outcome;
  return outcome;
}

/** What is wrong with the text, in its order; fails for a text with which nothing is. */
export function problems(text: string, env: Record<string, string> = {}): readonly ConfigProblem[] {
  const outcome = parseConfig(text, { file: FILE, env });
  if (!(outcome instanceof ConfigError)) throw new Error('the configuration was accepted');
  return outcome.problems;
}

/** The same, each as `line:column key: what is wrong; what to do`. */
export function reported(text: string, env: Record<string, string> = {}): string[] {
  return problems(text, env).map(
    ({ line, column, key, wrong, mend }) => `${line}:${column} ${key}: ${wrong}; ${mend}`,
  );
}

/** Every key of the schema that holds a value, as the documentation writes it: `token.issuers[].jwks`. */
export function everyKey(
  schema: JsonSchema,
  prefix = '',
): [key: string, schema: JsonSchema, required: boolean][] {
  const { properties = {}, required = [], items, additionalProperties } = schema;
  const inner = Object.entries(properties).flatMap(([name, part]) => {
    const key = prefix === '' ? name : `${prefix}.${name}`;
    return [[key, part, required.includes(name)] as [string, JsonSchema, boolean], ...everyKey(part, key)];
  });
  if (items !== undefined) inner.push(...everyKey(items, `${prefix}[]`));
  if (typeof additionalProperties === 'object')
    inner.push(...everyKey(additionalProperties, `${prefix}.<name>`));
  return inner;
}
