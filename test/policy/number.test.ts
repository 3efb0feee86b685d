import fc from 'fast-check';
import { ExactNumber } from '../../src/json/exact.js';
import { compareNumbers, fromInteger, toDecimal, toInteger } from '../../src/policy/number.js';
import { number, numberText } from './values.js';

/** As a fraction of two integers, which is slow and beyond doubt. */
function fraction(text: string): [bigint, bigint] {
  const [, sign, whole, rest = '', exponent = '0'] = /^(-?)(\d+)(?:\.(\d+))?(?:e(.+))?$/.exec(text)!;
  const digits = BigInt(`${sign}${whole}${rest}`);
  const power = Number(exponent) - rest.length;
  return power >= 0 ? [digits * 10n ** BigInt(power), 1n] : [digits, 10n ** BigInt(-power)];
}

describe('comparing numbers', () => {
  test('never rounds', () => {
    fc.assert(
      fc.property(numberText, numberText, (a, b) => {
        const [x, y] = [fraction(a), fraction(b)];
        const difference = x[0] * y[1] - y[0] * x[1];
        const order = difference < 0n ? -1 : Number(difference > 0n);
        expect(Math.sign(compareNumbers(number(a), number(b))) + 0).toBe(order);
      }),
      { numRuns: 2000 },
    );
  });

  test('knows the same number however it is written', () => {
    const same = ['100', '100.0', '1e2', '1E+2', '1000e-1', '0.01e4'].map((text) => new ExactNumber(text));
    for (const a of same) for (const b of [...same, 100, 100n]) expect(compareNumbers(a, b)).toBe(0);
    expect(compareNumbers(new ExactNumber('-0.0e7'), 0)).toBe(0);
  });

  test('takes no time that grows with an exponent, and little with the digits', () => {
    const [huge, less] = ['9'.repeat(2_000_000), `${'9'.repeat(1_999_999)}8`].map((t) => new ExactNumber(t));
    const started = performance.now();
    expect(compareNumbers(huge!, less!)).toBe(1);
    expect(
      compareNumbers(new ExactNumber('1e999999999999'), new ExactNumber('2e999999999998')),
    ).toBeGreaterThan(0);
    expect(compareNumbers(new ExactNumber(`1e${'9'.repeat(500)}`), 1)).toBeGreaterThan(0);
    expect(compareNumbers(new ExactNumber(`1e-${'9'.repeat(500)}`), 1)).toBeLessThan(0);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

describe('a number in another form', () => {
  test('is the same number', () => {
    fc.assert(
      fc.property(numberText, (text) => {
        const { digits, exponent } = toDecimal(number(text));
        expect(compareNumbers(new ExactNumber(`${digits}e${exponent}`), number(text))).toBe(0);
        expect(digits === 0n || digits % 10n !== 0n).toBe(true);
      }),
    );
  });

  test.each([
    ['1.0', 1n],
    ['1e3', 1000n],
    ['-12.50e1', -125n],
    ['9007199254740993', 9007199254740993n],
    ['1.5', undefined],
    ['1e-1', undefined],
    ['1e1001', undefined],
  ])('%s is the integer %p', (text, integer) => {
    expect(toInteger(new ExactNumber(text))).toBe(integer);
  });

  test('an integer is a double where that holds it, else a bigint', () => {
    expect(fromInteger(9007199254740991n)).toBe(9007199254740991);
    expect(fromInteger(9007199254740992n)).toBe(9007199254740992n);
  });
});
