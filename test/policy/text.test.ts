import fc from 'fast-check';
import { ExactNumber } from '../../src/json/exact.js';
import { formatValue, parseValue } from '../../src/policy/text.js';
import { compareValues, equalValues, RegoObject, RegoSet, type RegoValue } from '../../src/policy/value.js';
import { regoValue } from './values.js';

describe('the text of a value', () => {
  test('brings the value back', () => {
    fc.assert(
      fc.property(regoValue, (value) => {
        const back = parseValue(formatValue(value));
        expect(compareValues(back, value)).toBe(0);
        expect(formatValue(back)).toBe(formatValue(value));
      }),
      { numRuns: 1000 },
    );
  });

  test.each<[string, RegoValue]>([
    ['{}', new RegoObject([])],
    ['set()', new RegoSet([])],
    ['{1, 2}', new RegoSet([1, 2])],
    ['{1: 2, {3}: [4]}', new RegoObject([[1, 2], [new RegoSet([3]), [4]]])], // prettier-ignore
    ['[1e400, 0.1, 9007199254740993]', [new ExactNumber('1e400'), 0.1, 9007199254740993n]],
    [String.raw`"\\\" \u0001\u001f 😀"`, '\\" \u0001\u001f 😀'],
  ])('%s is read and written', (text, value) => {
    expect(equalValues(parseValue(text), value)).toBe(true);
    expect(equalValues(parseValue(formatValue(value)), value)).toBe(true);
  });

  test.each(['{"a":1,"b":[true,null]}', ' { "a" :\n1,\t"b":[ true , null ] } '])(
    'may have any spacing: %s',
    (text) => {
      expect(formatValue(parseValue(text))).toBe('{"a": 1, "b": [true, null]}');
    },
  );

  const NONE = ['', ' ', '{', '[1', '[1,]', '[1 2]', '{1: }', '{1: 2, 3}', '{1, 2: 3}', '{,}', '1 2'];

  test.each([...NONE, '"a', '"\\"', '"\\x"', 'set(', 'nul', '-', '+1', '.', 'e5', "'a'"])(
    '%p is none',
    (text) => {
      expect(() => parseValue(text)).toThrow(SyntaxError);
    },
  );

  test.each(['1', '1.0', '1.50', '1e3', '1e+21', '0.0', '-0', '9007199254740993', '1e400', '-1.5e-7'])(
    'keeps the number %s as it is written',
    (text) => {
      expect(formatValue(parseValue(text))).toBe(text);
    },
  );

  test.each([
    ['.5', '0.5'],
    ['-.50', '-0.50'],
  ])('takes %s, which Rego lets one write, for %s', (text, expected) => {
    expect(formatValue(parseValue(text))).toBe(expected);
  });

  test('gives every double back', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (double) => {
        expect(Number(formatValue(parseValue(String(double))))).toBe(double + 0);
      }),
    );
  });

  test('is UTF-8 in the end: half a pair of surrogates does not get through', () => {
    expect(formatValue(['\ud800', '\udc00a'])).toBe('["\ufffd", "\ufffda"]');
  });

  test('has no NaN and no infinity', () => {
    for (const none of [Number.NaN, Infinity, -Infinity])
      expect(() => formatValue([none])).toThrow(TypeError);
  });

  test('of many megabytes is read in a moment', () => {
    const long = 'a\\'.repeat(2_000_000);
    const started = performance.now();
    expect(parseValue(formatValue([long, '\\'.repeat(2_000_000)]))).toEqual([long, '\\'.repeat(2_000_000)]);
    expect(performance.now() - started).toBeLessThan(5000);
  });

  test('nested too deeply is an error and no crash', () => {
    expect(() => parseValue('['.repeat(1_000_000))).toThrow();
    expect(() => parseValue(`${'['.repeat(1000)}${']'.repeat(1000)}`)).not.toThrow();
  });
});
