import { BuiltinError } from '../../../src/policy/builtins/builtin.js';
import { LimitError } from '../../../src/policy/builtins/limit.js';
import type { RegoValue } from '../../../src/policy/value.js';
import { call, callText } from './call.js';

const SCHEMA = `
  type Query { employee(id: ID!): Employee }
  type Employee { id: ID! name: String salary: Int manager: Employee }
`;

const EMPLOYEE = 'query Q($id: ID!) { boss: employee(id: $id) { name } }';

const asText = (name: string, ...operands: string[]) =>
  callText(name, ...operands.map((operand) => JSON.stringify(operand)));

describe('graphql.parse_query', () => {
  test('gives the structs of gqlparser without what is empty and without positions', () => {
    expect(asText('graphql.parse_query', '{ a: b(x: [1, "s", $v]) }')).toBe(
      '{"Operations": [{"Name": "", "Operation": "query", "SelectionSet": [{"Alias": "a", "Arguments": [' +
        '{"Name": "x", "Value": {"Children": [' +
        '{"Name": "", "Value": {"ExpectedTypeHasDefault": false, "Kind": 1, "Raw": "1"}}, ' +
        '{"Name": "", "Value": {"ExpectedTypeHasDefault": false, "Kind": 3, "Raw": "s"}}, ' +
        '{"Name": "", "Value": {"ExpectedTypeHasDefault": false, "Kind": 0, "Raw": "v"}}], ' +
        '"ExpectedTypeHasDefault": false, "Kind": 8, "Raw": ""}}], "Name": "b"}]}]}',
    );
  });

  test('keeps the comment before an operation that has a keyword, and loses it before one that has not', () => {
    expect(asText('graphql.parse_query', '# why\nquery { a }')).toContain(
      '"Comment": {"List": [{"Value": "# why"}]}',
    );
    expect(asText('graphql.parse_query', '# why\n{ a }')).not.toContain('why');
  });

  test('takes a text without any definition for an empty document', () => {
    expect(asText('graphql.parse_query', '# nothing')).toBe('{}');
  });

  test.each([
    '{',
    '{ a(',
    '{ field: {} }',
    'fragment on on T { a }',
    'type A { a: Int }',
    '"d" query { a }',
    '{ a(x: ) }',
  ])('is undefined for %j', (query) =>
    expect(() => call('graphql.parse_query', query)).toThrow(BuiltinError),
  );
});

describe('graphql.parse_schema', () => {
  test('gives definitions with their descriptions', () => {
    expect(asText('graphql.parse_schema', '"d" type A { "f" a(x: Int = 1): [B!]! } # end')).toBe(
      '{"Comment": {"List": [{"Value": "# end"}]}, "Definitions": [{"BuiltIn": false, "Description": "d", "Fields": [' +
        '{"Arguments": [{"DefaultValue": {"ExpectedTypeHasDefault": false, "Kind": 1, "Raw": "1"}, "Description": "", "Name": "x", "Type": {"NamedType": "Int", "NonNull": false}}], ' +
        '"Description": "f", "Name": "a", "Type": {"Elem": {"NamedType": "B", "NonNull": true}, "NamedType": "", "NonNull": true}}], "Kind": "OBJECT", "Name": "A"}]}',
    );
  });

  test('does not ask whether it is valid', () => {
    expect(() => call('graphql.parse_schema', 'type A { a: Missing }')).not.toThrow();
    expect(() => call('graphql.parse_schema', 'type A {}')).toThrow(BuiltinError);
  });
});

describe('graphql.schema_is_valid', () => {
  test.each([
    '',
    'scalar A',
    'extend type A { a: Int }',
    'type A { a: Int @deprecated }',
    'interface I { a: Int } type A implements I { a: Int! }',
    'directive @skip on FIELD  directive @own(x: Int!) on OBJECT  type A @own(x: 1) { a: Int }',
    'input A { a: A }',
    'enum E { A B }  union U = T  type T { e: E u: U }',
  ])('%j is', (schema) => expect(call('graphql.schema_is_valid', schema)).toBe(true));

  test.each([
    'type A { a: Missing }',
    'type A { a: Int } type A { b: Int }',
    'type A { a: Int a: Int }',
    'type __A { a: Int }',
    'type A { __a: Int }',
    'scalar Int',
    'schema { query: Missing }',
    'schema { query: Q } schema { query: Q } type Q { a: Int }',
    'interface I { a: Int! } type A implements I { a: Int }',
    'interface I { a(x: Int): Int } type A implements I { a: Int }',
    'interface I { a: Int } interface J implements I { a: Int } type A implements J { a: Int }',
    'type A implements B { a: Int } type B { a: Int }',
    'type A { a: Int @missing }',
    'type A { a: Int @deprecated(why: "x") }',
    'type A @deprecated { a: Int }',
    'directive @own(x: Int!) on OBJECT  type A @own { a: Int }',
    'directive @own(x: Int @own) on ARGUMENT_DEFINITION',
    'input A { b: B! } input B { a: A! }',
    'type A { a: I } input I { a: Int }',
    'type A { a(x: A): Int }',
    'enum E { A A }',
    'union U = Int',
    'scalar A  extend type A { a: Int }',
  ])('%j is not', (schema) => expect(call('graphql.schema_is_valid', schema)).toBe(false));

  test('nor is anything but a string or an object', () => {
    expect(call('graphql.schema_is_valid', 1)).toBe(false);
  });
});

describe('graphql.is_valid', () => {
  test.each([
    [EMPLOYEE, true],
    ['{ employee(id: 1) { ...F } } fragment F on Employee { name }', true],
    ['{ __schema { types { name } } }', true],
    ['', true],
    ['{ employee { name } }', false],
    ['{ employee(id: 1) { age } }', false],
    ['{ employee(id: 1) }', false],
    ['{ employee(id: 1) { name: salary name } }', false],
    ['query ($id: ID) { employee(id: 1) { name } }', false],
    ['mutation { a }', false],
    ['subscription { a }', false],
    ['{ a: employee(id: 1) { manager { __typename } } } { b: __typename }', false],
    ['{', false],
  ])('%j: %s', (query, expected) => expect(call('graphql.is_valid', query, SCHEMA)).toBe(expected));

  test('takes objects for what they were parsed from, but for fragments, which gqlparser loses in them', () => {
    const [query, schema] = [call('graphql.parse_query', EMPLOYEE)!, call('graphql.parse_schema', SCHEMA)!];
    expect(call('graphql.is_valid', query, schema)).toBe(true);
    const fragment = call('graphql.parse_query', '{ employee(id: 1) { ... on Employee { name } } }')!;
    expect(call('graphql.is_valid', fragment, schema)).toBe(false);
  });

  test('trusts no name in an object', () => {
    const query = '{"Operations": [{"SelectionSet": [{"Name": "__typename } { __typename"}]}]}';
    expect(callText('graphql.is_valid', query, JSON.stringify(SCHEMA))).toBe('false');
    for (const bad of ['1', '{"Operations": 1}', '{"Operations": [null]}', '{"Operations": [{"Name": 1}]}'])
      expect(callText('graphql.is_valid', bad, JSON.stringify(SCHEMA))).toBe('false');
  });
});

test('graphql.parse is undefined where graphql.parse_and_verify says false', () => {
  const both = (query: RegoValue) => [
    call('graphql.parse_query', query),
    call('graphql.parse_schema', SCHEMA),
  ];
  expect(call('graphql.parse', EMPLOYEE, SCHEMA)).toEqual(both(EMPLOYEE));
  expect(call('graphql.parse_and_verify', EMPLOYEE, SCHEMA)).toEqual([true, ...both(EMPLOYEE)]);
  for (const [query, schema] of [
    ['{ x }', SCHEMA],
    ['{', SCHEMA],
    [EMPLOYEE, 'type'],
    [EMPLOYEE, 1],
  ] as const) {
    expect(() => call('graphql.parse', query, schema)).toThrow(BuiltinError);
    expect(callText('graphql.parse_and_verify', JSON.stringify(query), JSON.stringify(schema))).toBe(
      '[false, {}, {}]',
    );
  }
});

describe('trap 94: a query that nests deeply, or that takes long to validate, ends the evaluation', () => {
  test.each([
    ['levels', `${'{a'.repeat(5_000)}${'}'.repeat(5_000)}`],
    ['levels of a value', `{ a(x: ${'['.repeat(5_000)}${']'.repeat(5_000)}) }`],
    ['tokens', `{ ${'__typename '.repeat(4_001)} }`],
    ['comparisons', `{ ${'__typename '.repeat(3_990)} }`],
  ])('%s', (_, query) => {
    const started = performance.now();
    expect(() => call('graphql.is_valid', query, SCHEMA)).toThrow(LimitError);
    expect(performance.now() - started).toBeLessThan(5_000);
  });

  test('so does a schema whose input objects do', () => {
    const chain = Array.from({ length: 1_001 }, (_, i) => `input T${i} { a: T${i + 1}! }`);
    expect(() => call('graphql.schema_is_valid', `${chain.join(' ')} input T1001 { a: Int }`)).toThrow(
      LimitError,
    );
  });

  test('and so does an object', () => {
    const deep = `{"Operations": [{"SelectionSet": ${'[{"Name": "a", "SelectionSet": '.repeat(500)}[]${'}]'.repeat(500)}}]}`;
    expect(() => callText('graphql.is_valid', deep, JSON.stringify(SCHEMA))).toThrow(LimitError);
  });
});
