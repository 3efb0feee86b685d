import { LimitError } from '../../../src/policy/builtins/limit.js';
import { call, callText } from './call.js';

/** The descriptions of what is wrong, as gojsonschema gives them. */
function problems(document: string, schema: string): string[] {
  const result = JSON.parse(callText('json.match_schema', document, schema)) as [
    boolean,
    { error: string }[],
  ];
  expect(result[0]).toBe(result[1].length === 0);
  return result[1].map(({ error }) => error);
}

const SCHEMAS: readonly (readonly [schema: string, right: string, wrong: string, errors: string[]])[] = [
  [
    '{"properties": {"id": {"type": "integer"}}, "required": ["id"]}',
    '{"id": 5}',
    '{"id": "x"}',
    ['id: Invalid type. Expected: integer, given: string'],
  ],
  ['{"required": ["a"]}', '{"a": 1}', '{}', ['(Root): a is required']],
  [
    '{"type": ["object", "null"]}',
    '{}',
    '[]',
    ['(Root): Invalid type. Expected: [object,null], given: array'],
  ],
  [
    '{"items": {"type": "number"}}',
    '[1, 2.5]',
    '["x"]',
    ['0: Invalid type. Expected: number, given: string'],
  ],
  [
    '{"items": [{}, {}], "additionalItems": false}',
    '[1, 2]',
    '[1, 2, 3]',
    ['(Root): No additional items allowed on array'],
  ],
  ['{"minItems": 1, "maxItems": 2}', '[1]', '[]', ['(Root): Array must have at least 1 items']],
  ['{"uniqueItems": true}', '[1, 2]', '[1, 1.0]', ['(Root): array items[0,1] must be unique']],
  [
    '{"contains": {"const": 1}}',
    '[2, 1]',
    '[2]',
    ['(Root): At least one of the items must match', '0: 0 does not match: 1'],
  ],
  [
    '{"additionalProperties": false, "properties": {"a": {}}}',
    '{"a": 1}',
    '{"b": 1}',
    ['(Root): Additional property b is not allowed'],
  ],
  [
    '{"patternProperties": {"^x-": {"type": "string"}}}',
    '{"x-a": "b"}',
    '{"x-a": 1}',
    ['x-a: Invalid type. Expected: string, given: integer'],
  ],
  [
    '{"propertyNames": {"maxLength": 1}}',
    '{"a": 1}',
    '{"ab": 1}',
    ['(Root): Property name of "ab" does not match', '(Root): String length must be less than or equal to 1'],
  ],
  ['{"dependencies": {"a": ["b"]}}', '{"a": 1, "b": 2}', '{"a": 1}', ['(Root): Has a dependency on b']],
  [
    '{"properties": {"n": {"minimum": 1, "maximum": 1000000, "multipleOf": 0.1}}}',
    '{"n": 1.3}',
    '{"n": 0.05}',
    ['n: Must be a multiple of 0.1', 'n: Must be greater than or equal to 1'],
  ],
  ['{"properties": {"n": {"exclusiveMinimum": 1}}}', '{"n": 1.5}', '{"n": 1}', ['n: Must be greater than 1']],
  [
    '{"properties": {"n": {"maximum": 9007199254740992}}}',
    '{"n": 9007199254740992}',
    '{"n": 9007199254740993}',
    ['n: Must be less than or equal to 9007199254740992'],
  ],
  [
    '{"properties": {"s": {"pattern": "^a+$"}}}',
    '{"s": "aa"}',
    '{"s": "b"}',
    ["s: Does not match pattern '^a+$'"],
  ],
  [
    '{"properties": {"s": {"format": "ipv4"}}}',
    '{"s": "192.0.2.1"}',
    '{"s": "x"}',
    ["s: Does not match format 'ipv4'"],
  ],
  [
    '{"properties": {"s": {"enum": ["a", 1]}}}',
    '{"s": 1.0}',
    '{"s": 2}',
    ['s: s must be one of the following: "a", 1'],
  ],
  ['{"not": {"required": ["a"]}}', '{}', '{"a": 1}', ['(Root): Must not validate the schema (not)']],
  [
    '{"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}',
    '{"b": 1}',
    '{}',
    ['(Root): Must validate at least one schema (anyOf)', '(Root): a is required'],
  ],
  [
    '{"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}',
    '{"b": 1}',
    '{"a": 1, "b": 1}',
    ['(Root): Must validate one and only one schema (oneOf)'],
  ],
  [
    '{"if": {"required": ["a"]}, "then": {"required": ["b"]}}',
    '{}',
    '{"a": 1}',
    ['(Root): Must validate "then" as "if" was valid', '(Root): b is required'],
  ],
  [
    '{"definitions": {"t": {"properties": {"c": {"$ref": "#/definitions/t"}}, "required": ["v"]}}, "$ref": "#/definitions/t"}',
    '{"v": 1, "c": {"v": 2}}',
    '{"v": 1, "c": {}}',
    ['c: v is required'],
  ],
];

describe('json.match_schema', () => {
  test.each(SCHEMAS)('%s', (schema, right, wrong, errors) => {
    expect(problems(right, schema)).toEqual([]);
    expect(problems(wrong, schema)).toEqual(errors);
  });

  test('gives an error its parts', () => {
    expect(callText('json.match_schema', '{}', '{"required": ["a"]}')).toBe(
      '[false, [{"desc": "a is required", "error": "(Root): a is required", "field": "(Root)", "type": "required"}]]',
    );
  });

  test('takes both as JSON text too', () => {
    expect(call('json.match_schema', '{"id": 5}', '{"required": ["id"]}')).toEqual([true, []]);
  });

  test('fails for what is no schema, and for what is no document', () => {
    expect(() => call('json.match_schema', '{}', '{"type": "unknown"}')).toThrow(
      'has a primitive type that is NOT VALID -- given: /unknown/ Expected valid values are:[array boolean integer number null object string]',
    );
    expect(() => call('json.match_schema', '{', '{}')).toThrow('invalid JSON string');
    expect(() => call('json.match_schema', 1, '{}')).toThrow('wrong type, expected string or object');
  });

  test('ends the evaluation where checks multiply, and where references lead nowhere', () => {
    const doubling =
      '{"definitions": {"t": {"properties": {"c": {"allOf": [{"$ref": "#/definitions/t"}, {"$ref": "#/definitions/t"}]}}}}, "$ref": "#/definitions/t"}';
    const deep = `${'{"c": '.repeat(30)}1${'}'.repeat(30)}`;
    expect(() => call('json.match_schema', deep, doubling)).toThrow(LimitError);
    expect(() => call('json.match_schema', '{}', '{"$ref": "#"}')).toThrow(LimitError);
  });
});

describe('json.verify_schema', () => {
  test.each([
    '{"type": "boolean"}',
    '{}',
    '{"$schema": "http://json-schema.org/draft-07/schema#", "items": true}',
  ])('%s is a schema', (schema) => {
    expect(call('json.verify_schema', schema)).toEqual([true, null]);
    expect(callText('json.verify_schema', schema)).toBe('[true, null]');
  });

  test.each([
    ['{"minLength": -1}', 'minLength must be greater than or equal to 0'],
    ['{"minLength": 2, "maxLength": 1}', 'minLength cannot be greater than maxLength'],
    ['{"pattern": "(?=x)"}', 'pattern must be a valid regex'],
    ['{"required": "a"}', 'required must be of an array'],
    ['{"multipleOf": 0}', 'multipleOf must be strictly greater than 0'],
    ['{"$ref": "#/definitions/x"}', "Object has no key 'definitions'"],
    [
      '{"$ref": "https://schemas.example/a.json"}',
      'remote reference loading disabled: https://schemas.example/a.json',
    ],
    [
      '{"$schema": "http://json-schema.org/draft-04/schema#", "exclusiveMinimum": 1}',
      'Invalid type. Expected: boolean, given: exclusiveMinimum',
    ],
    ['[]', 'schema is invalid'],
    ['{', 'invalid JSON string'],
  ])('%s is none: %s', (schema, why) => {
    expect(call('json.verify_schema', schema)).toEqual([false, `jsonschema: ${why}`]);
  });
});
