import type { JsonSchema } from '../../src/decision/input-schema.js';

/** docs/policy-input.md, from the schema of the input. */
export function inputReference(schema: JsonSchema): string {
  const { identity, token, user_token: userToken, transaction, request, ...others } = schema.properties!;
  return `# What a policy is asked with

Every key of \`input\`, written from the JSON Schema that \`countersign check\` holds policies to
(\`countersign check --print-schema\` prints it). [policy.md](policy.md) shows a whole input. A rule about something that
is absent is undefined, and so denies.

## Verified facts

Nothing unverified gets there.

${table({ identity: identity!, token: token!, user_token: withoutKeys(userToken!), transaction: transaction!, request: request! })}

## Under opa-envoy-plugin's names

As Envoy sent it: a client can write most of it, so decide on the facts above.

${table(others)}
`;
}

/** Its keys are listed with `token`. */
function withoutKeys({ description, type }: JsonSchema): JsonSchema {
  return { description: description!, type: type! };
}

function table(properties: NonNullable<JsonSchema['properties']>): string {
  return ['| key | kind | what it is |', '|---|---|---|', ...rows(properties, '')].join('\n');
}

function rows(properties: NonNullable<JsonSchema['properties']>, above: string): string[] {
  return Object.entries(properties).flatMap(([name, schema]) => {
    const path = above + name;
    const line = `| \`${path}\` | ${kind(schema)} | ${schema.description} |`;
    if (schema.items?.properties) return [line, ...rows(schema.items.properties, `${path}[_].`)];
    const values = schema.additionalProperties;
    if (typeof values === 'object' && values.properties)
      return [line, ...rows(values.properties, `${path}[_].`)];
    return [line, ...rows(schema.properties ?? {}, `${path}.`)];
  });
}

function kind({ type, enum: values, items, properties, additionalProperties }: JsonSchema): string {
  if (values) return values.map((value) => `\`${value}\``).join(' or ');
  if (type === 'array') return `array of ${items!.type}s`;
  if (type === undefined) return 'any';
  if (type !== 'object' || properties) return type;
  if (typeof additionalProperties !== 'object') return 'object of any keys';
  return `object of any keys, each ${additionalProperties.type === 'array' ? 'an array of strings' : `${article(additionalProperties.type!)} ${additionalProperties.type}`}`;
}

function article(word: string): string {
  return /^[aeiou]/.test(word) ? 'an' : 'a';
}
