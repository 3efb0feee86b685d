import fc from 'fast-check';
import { LimitError } from '../../../src/policy/builtins/limit.js';
import { parseValue } from '../../../src/policy/text.js';
import { equalValues } from '../../../src/policy/value.js';
import { call, callText } from './call.js';

/** What OPA 1.22 makes of it, with go-yaml v3. */
const READ: readonly (readonly [yaml: string, expected: string])[] = [
  ['on: push\noff: x\n', '{"off": "x", "on": "push"}'],
  ['a: yes\nb: no\nc: y\ne: On\n', '{"a": "yes", "b": "no", "c": "y", "e": "On"}'],
  ['a: true\nb: FALSE\nc: ~\nd:\n', '{"a": true, "b": false, "c": null, "d": null}'],
  ['1: a\ntrue: b\n1.5: c\n', '{"1": "a", "1.5": "c", "true": "b"}'],
  ['[0x1F, 0777, 0o17, 0b11, 1_000, 08, +1]', '[31, 511, 15, 3, 1000, 8, 1]'],
  ['[1.0, .5, 1e3, 1e400]', '[1, 0.5, 1000, "1e400"]'],
  ['[9223372036854775808, 18446744073709551616]', '[9223372036854775808, 18446744073709552000]'],
  ['[9007199254740993]', '[9007199254740993]'],
  ['[2023-01-01, 12:30:45]', '["2023-01-01", "12:30:45"]'],
  ['base: &b\n  on: 1\nderived:\n  <<: *b\n  y: 2\n', '{"base": {"on": 1}, "derived": {"on": 1, "y": 2}}'],
  ['r:\n  <<: [{a: 1, b: 1}, {b: 2, c: 2}]\n  c: 3', '{"r": {"a": 1, "b": 1, "c": 3}}'],
  ['a: 1\nb: 9\na: 2\na: 3\n', '{"a": 3, "b": 9}'],
  ['1: a\n"1": b\n', '{"1": "b"}'],
  ['!!str 1', '"1"'],
  ['!!int "3"', '3'],
  ['!!binary aGk=', '"hi"'],
  ['!foo bar', '"bar"'],
  ['"\\u00e9\\x41"', '"éA"'],
  ['|\n  a\n  b\n', '"a\\nb\\n"'],
  ['', 'null'],
  ['a: 1\n---\nb: 2\n', '{"a": 1}'],
  ['---\n---\na: 1\n', 'null'],
  ['__proto__: 1', '{"__proto__": 1}'],
];

const NOT_READ: readonly (readonly [yaml: string, why: string])[] = [
  ['[1,2,3', 'a list that does not end'],
  ['null: a', 'a key that JSON has not'],
  ['? [1]\n: v', 'a list for a key'],
  ['  test:\ntest1: hello\n', 'what follows the first document is none'],
  ['a: 1\n---\n\tb: 2\n', 'a later document has an error'],
  ['.inf', 'JSON has no infinity'],
  ['a: &a [*a]', 'a value contains itself'],
  ['*x', 'nothing has that anchor'],
  ['<<: 1', 'what is merged is no map'],
  ['!!int abc', 'it is no integer'],
  ['%YAML 1.2\n---\na', 'go-yaml takes that for another version'],
  ['a\u0001', 'a control character'],
];

describe('yaml.unmarshal', () => {
  test.each(READ)('reads %p', (yaml, expected) => {
    expect(callText('yaml.unmarshal', JSON.stringify(yaml))).toBe(expected);
    expect(call('yaml.is_valid', yaml)).toBe(true);
  });

  test.each(NOT_READ)('does not read %p: %s', (yaml) => {
    expect(() => call('yaml.unmarshal', yaml)).toThrow(expect.objectContaining({ name: 'BuiltinError' }));
    expect(call('yaml.is_valid', yaml)).toBe(false);
  });

  test('trap 98: stops at aliases that multiply', () => {
    const bomb = Array.from('abcdefgh', (name, i) => {
      const items = i === 0 ? 'x' : `*${'abcdefgh'[i - 1]}`;
      return `${name}: &${name} [${Array(10).fill(items).join(', ')}]`;
    }).join('\n');
    expect(() => call('yaml.unmarshal', bomb)).toThrow('excessive aliasing');
  });

  test('ends the evaluation for what is nested too deeply', () => {
    expect(() => call('yaml.unmarshal', '['.repeat(100_000))).toThrow(LimitError);
  });
});

describe('yaml.is_valid', () => {
  test('is false for what is no string', () => {
    expect(call('yaml.is_valid', 1)).toBe(false);
  });
});

describe('yaml.marshal', () => {
  test.each([
    ['{"n": 3, "s": "on"}', '"n": 3\ns: "on"\n'],
    [
      '{"a10": 1, "a9": 2, "B": {"c": [1, [2], {"d": []}]}}',
      'B:\n  c:\n    - 1\n    - - 2\n    - d: []\na9: 2\na10: 1\n',
    ],
    ['[{"foo": {1, 2}}]', '- foo:\n    - 1\n    - 2\n'],
    [
      '["", "1", "true", "12:30", "2001-01-01", "a: b", "it\'s", " a", "é", "😀"]',
      '- ""\n- "1"\n- "true"\n- "12:30"\n- "2001-01-01"\n- \'a: b\'\n- it\'s\n- \' a\'\n- é\n- "\\U0001F600"\n',
    ],
    ['"a\\nb\\n"', '|\n  a\n  b\n'],
    ['{"a": "x\\n\\n", "b": " x\\ny"}', 'a: |+\n  x\n\nb: |2-\n   x\n  y\n'],
    ['[1.50, 1e21, 100.0, 18446744073709551616]', '- 1.5\n- 1e+21\n- 100\n- 1.8446744073709552e+19\n'],
    ['null', 'null\n'],
  ])('writes %s', (value, expected) => {
    expect(call('yaml.marshal', parseValue(value))).toBe(expected);
  });

  test('writes what yaml.unmarshal reads back', () => {
    const json = fc.jsonValue({ maxDepth: 4, stringUnit: 'grapheme' });
    fc.assert(
      fc.property(json, (value) => {
        const rego = parseValue(JSON.stringify(value));
        expect(equalValues(call('yaml.unmarshal', call('yaml.marshal', rego)!)!, rego)).toBe(true);
      }),
    );
  });
});
