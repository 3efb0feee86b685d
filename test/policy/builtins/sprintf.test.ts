import fc from 'fast-check';
import { LimitError } from '../../../src/policy/builtins/limit.js';
import { call, callText } from './call.js';

/** What Go 1.26's fmt prints for what OPA hands to it. */
const TABLE: readonly (readonly [format: string, operands: string, expected: string])[] = [
  // Integers.
  ['%d|%5d|%-5d|%05d|%+d|% d', '[3, 3, 3, 3, 3, 3]', '3|    3|3    |00003|+3| 3'],
  ['%x %X %#x %o %#o %O %b %#b', '[255, 255, 255, 8, 8, 8, 5, 5]', 'ff FF 0xff 10 010 0o10 101 0b101'],
  ['%c%c %q %U %#U', '[65, 128512, 65, 128512, 65]', "A😀 'A' U+1F600 U+0041 'A'"],
  ['%.3d|%8.3d|%.0d|%08.3d', '[7, 7, 0, 7]', '007|     007||     007'],
  ['%v %T', '[9223372036854775807, 9223372036854775807]', '9223372036854775807 int64'],
  // Beyond 64 bits: exact.
  ['%s', '[123456789123456789123]', '123456789123456789123'],
  [
    '%d %x %T',
    '[18446744073709551616, 18446744073709551616, 18446744073709551616]',
    '18446744073709551616 10000000000000000 *big.Int',
  ],
  [
    '%030d|%-25d|',
    '[-123456789123456789123, 123456789123456789123]',
    '-00000000123456789123456789123|123456789123456789123    |',
  ],
  // Floating point.
  ['%f, %3.1f, %.3f', '[0.0, 100.0, 0.0]', '0.000000, 100.0, 0.000'],
  ['%f', '[1e2]', '100.000000'],
  ['%v %v %v %v', '[1.0, 1e6, 0.00001, 123456789.5]', '1 1e+06 1e-05 1.234567895e+08'],
  ['%.0f %.0f %.0f %.1f', '[0.5, 1.5, 2.5, 0.25]', '0 2 2 0.2'],
  [
    '%e %E %g %G %.3g',
    '[1234.5, 1234.5, 1e21, 1e-7, 1234.5]',
    '1.234500e+03 1.234500E+03 1e+21 1E-07 1.23e+03',
  ],
  [
    '%8.2f|%-8.2f|%+08.2f|%x|%b',
    '[1.5, 1.5, 1.5, 1.5, 1.5]',
    '    1.50|1.50    |+0001.50|0x1.8p+00|6755399441055744p-52',
  ],
  ['%v', '[1e400]', '1e400'],
  // Strings.
  [
    '%s|%5s|%-5s|%.2s|%q|%#q|%+q',
    '["é", "é", "é", "éàü", "é\\n", "a", "é"]',
    'é|    é|é    |éà|"é\\n"|`a`|"\\u00e9"',
  ],
  ['%x %X % x %#x', '["é", "é", "é", "é"]', 'c3a9 C3A9 c3 a9 0xc3a9'],
  ['%v %v', '["a", 1]', 'a 1'],
  ['%#v', '["a"]', '"a"'],
  // Everything else is the text that Rego has for it.
  ['%v %v %s', '[null, true, false]', 'null true false'],
  ['%v %v %v', '[{"a": [1, "x"]}, {1, 2}, set()]', '{"a": [1, "x"]} {1, 2} set()'],
  // What does not fit.
  ['%d', '["x"]', '%!d(string=x)'],
  ['%s', '[1]', '%!s(int64=1)'],
  ['%d', '[1.5]', '%!d(float64=1.5)'],
  ['%t', '[true]', '%!t(string=true)'],
  ['%z %!', '[1, 2]', '%!z(int64=1) %!!(int64=2)'],
  ['%d %d', '[1]', '1 %!d(MISSING)'],
  ['%d', '[1, "x", 2.5]', '1%!(EXTRA string=x, float64=2.5)'],
  ['%%, %', '[]', '%, %!(NOVERB)'],
  // Operands by their index, and widths from operands.
  ['%[2]d %[1]d', '[1, 2]', '2 1'],
  ['%[3]d', '[1, 2]', '%!d(BADINDEX)'],
  ['%*d|%-*d|%.*f', '[4, 7, 4, 7, 2, 1.0]', '   7|7   |1.00'],
  ['%*d', '["x", 7]', '%!(BADWIDTH)7'],
  ['%[2]*[1]d', '[7, 3]', '  7'],
];

describe('sprintf', () => {
  test.each(TABLE)('%p of %s', (format, operands, expected) => {
    expect(call('sprintf', format, JSON.parse('[]') as [])).toBeDefined();
    expect(callText('sprintf', JSON.stringify(format), operands)).toBe(
      callText('sprintf', '"%s"', JSON.stringify([expected])),
    );
  });

  test('takes a string and an array', () => {
    expect(() => call('sprintf', 1, [])).toThrow('operand 1 must be string but got number');
    expect(() => call('sprintf', '%d', 'x')).toThrow('operand 2 must be array but got string');
  });

  test('prints an integer of any size as it is', () => {
    fc.assert(
      fc.property(fc.bigInt(), (integer) => {
        expect(call('sprintf', '%d', [integer])).toBe(String(integer));
      }),
    );
  });

  test('prints a double so that it can be read back', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (double) => {
        fc.pre(!Number.isInteger(double));
        for (const format of ['%v', '%.17e', '%.1100f'])
          expect(Number(call('sprintf', format, [double]))).toBe(double);
      }),
    );
  });

  test('pads to a width and cuts to a precision in characters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.nat(50), (text, width) => {
        expect([...(call('sprintf', `%${width + 1}s`, [text]) as string)].length).toBe(
          Math.max(width + 1, [...text].length),
        );
        expect([...(call('sprintf', `%.${width}s`, [text]) as string)].length).toBe(
          Math.min(width, [...text].length),
        );
      }),
    );
  });

  test('ends the evaluation for a text that is too long', () => {
    expect(() => call('sprintf', '%1000000d'.repeat(5), [1, 1, 1, 1, 1])).toThrow(LimitError);
    expect(() => call('sprintf', '%[1]s'.repeat(5000), ['x'.repeat(1000)])).toThrow(LimitError);
  });
});
