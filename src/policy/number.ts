import { ExactNumber } from '../json/exact.js';

/** A number as `digits` × 10^`exponent`; `digits` is 0, or has no trailing zero. */
export interface Decimal {
  readonly digits: bigint;
  readonly exponent: number;
}

type Numeric = number | bigint | ExactNumber;

/** Exact. A double is what its shortest decimal text says, since that is how it came in. */
export function toDecimal(value: Numeric): Decimal {
  const text = value instanceof ExactNumber ? value.text : String(value);
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text);
  if (match === null) throw new TypeError('not a number of Rego');
  const [, sign, whole = '', fraction = '', exponent = '0'] = match;
  const all = `${whole}${fraction}`.replace(/^0+/, '');
  const digits = all.replace(/0+$/, '');
  if (digits === '') return { digits: 0n, exponent: 0 };
  return {
    digits: BigInt(`${sign}${digits}`),
    exponent: Number(exponent) - fraction.length + (all.length - digits.length),
  };
}

/** @returns below zero, zero, or above zero; never rounds, and takes no time that grows with an exponent */
export function compareNumbers(a: Numeric, b: Numeric): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (typeof a === 'bigint' && typeof b === 'bigint') return a < b ? -1 : Number(a > b);
  return compareDecimals(toDecimal(a), toDecimal(b));
}

function compareDecimals(a: Decimal, b: Decimal): number {
  const signs = [sign(a.digits), sign(b.digits)] as const;
  if (signs[0] !== signs[1]) return signs[0] - signs[1];
  if (signs[0] === 0) return 0;
  const magnitudes = magnitude(a) - magnitude(b);
  if (magnitudes !== 0) return magnitudes * signs[0];
  // Of one magnitude: what the exponents differ by is bounded by the digits that are there.
  const least = Math.min(a.exponent, b.exponent);
  const left = a.digits * 10n ** BigInt(a.exponent - least);
  const right = b.digits * 10n ** BigInt(b.exponent - least);
  return left < right ? -1 : Number(left > right);
}

function sign(digits: bigint): number {
  return digits < 0n ? -1 : Number(digits > 0n);
}

/** The power of ten that the first digit stands for. */
function magnitude({ digits, exponent }: Decimal): number {
  return digits.toString().replace('-', '').length + exponent;
}

/** The integer that a number is, `1.0` and `1e3` too; undefined where it has a fraction or is beyond 10^1000. */
export function toInteger(value: Numeric): bigint | undefined {
  if (typeof value === 'bigint') return value;
  if (Number.isSafeInteger(value)) return BigInt(value as number);
  const { digits, exponent } = toDecimal(value);
  if (exponent < 0 || exponent > 1000) return undefined;
  return digits * 10n ** BigInt(exponent);
}

/** An integer in the form that {@link Numeric} has for it: a number where a double holds it, else a bigint. */
export function fromInteger(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
