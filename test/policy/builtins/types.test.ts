import { call, callText } from './call.js';

describe('the casts', () => {
  test.each([
    ['cast_array', '{2, 1}', '[1, 2]'],
    ['cast_array', '[2, 1]', '[2, 1]'],
    ['cast_set', '[2, 1, 2]', '{1, 2}'],
    ['cast_set', '{1}', '{1}'],
    ['cast_string', '"a"', '"a"'],
    ['cast_boolean', 'false', 'false'],
    ['cast_null', 'null', 'null'],
    ['cast_object', '{"a": 1}', '{"a": 1}'],
  ])('%s of %s is %s', (name, value, expected) => {
    expect(callText(name, value)).toBe(expected);
  });

  test.each([
    ['cast_array', 'array, set'],
    ['cast_set', 'array, set'],
    ['cast_string', 'string'],
    ['cast_boolean', 'boolean'],
    ['cast_null', 'null'],
    ['cast_object', 'object'],
  ])('%s takes no number', (name, types) => {
    expect(() => call(name, 1)).toThrow(types);
  });
});
