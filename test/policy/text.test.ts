import fc from 'fast-check';
import { formatValue, parseValue } from '../../src/policy/text.js';

describe('the text by which values cross', () => {
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

  test.each(['', '-', '.', 'e5', '1 2', '{1', '[1,', '"a'])('does not take %p', (text) => {
    expect(() => parseValue(text)).toThrow(SyntaxError);
  });

  test('gives every double back', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (double) => {
        expect(Number(formatValue(parseValue(String(double))))).toBe(double + 0);
      }),
    );
  });
});
