import { stringifyExact } from '../../src/json/exact.js';
import { toJson } from '../../src/policy/json-value.js';
import { parseValue } from '../../src/policy/text.js';

describe('a result in JSON', () => {
  test.each([
    ['{3, 1, {2}, "a", [set()]}', '[1,3,"a",[[]],[2]]'],
    ['{{1, 2}: 1, 2: {"a"}, null: {}}', '{"null":{},"2":["a"],"[1,2]":1}'],
    ['{"b": 1e400, "a": 9007199254740993}', '{"a":9007199254740993,"b":1e400}'],
  ])('of %s is %s', (value, json) => {
    expect(JSON.stringify(JSON.parse(stringifyExact(toJson(parseValue(value)))))).toBe(
      JSON.stringify(JSON.parse(json)),
    );
    expect(stringifyExact(toJson(parseValue(value))).length).toBe(json.length);
  });

  test('has the numbers that JSON has', () => {
    expect(toJson(parseValue('[403.0, 1e3, 1.50]'))).toEqual([403, 1000, 1.5]);
  });

  test('has members of any name, and no prototype of a policy', () => {
    const result = toJson(parseValue('{"__proto__": {"allowed": true}}')) as { allowed?: unknown };
    expect(result.allowed).toBeUndefined();
    expect(Object.hasOwn(result, '__proto__')).toBe(true);
  });

  test('never takes one of two members for both', () => {
    expect(() => toJson(parseValue('{1: true, "1": false}'))).toThrow('same member name');
  });

  test('is not nested without end', () => {
    expect(() => toJson(parseValue(`${'['.repeat(600)}${']'.repeat(600)}`))).toThrow('nested too deeply');
  });
});
