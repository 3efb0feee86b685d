import { ExactNumber } from '../json/exact.js';

/** A number as `digits` × 10^`exponent`; `digits` is 0, or has no trailing zero. */
export interface Decimal {
  readonly digits: bigint;
  readonly exponent: number;
}

type Numeric = number | bigint | ExactNumber;

/** Exact. A double is what its shortest decimal text says, since that is how it came in. */
export function toDecimal(value: Numeric): Decimal {
  const { negative, digits, exponent } = parts(value);
  if (digits === '') return { digits: 0n, exponent: 0 };
  return { digits: BigInt(negative ? `-${digits}` : digits), exponent };
}

/** @returns below zero, zero, or above zero; never rounds, and takes no time that grows with an exponent */
export function compareNumbers(a: Numeric, b: Numeric): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (typeof a === 'bigint' && typeof b === 'bigint') return a < b ? -1 : Number(a > b);
  return compareParts(parts(a), parts(b));
}

/** `digits` begins and ends with none but 0, and is empty for the number 0. */
interface Parts {
  readonly negative: boolean;
  readonly digits: string;
  readonly exponent: number;
}

/** Takes time that is linear in the text: what a caller wrote must not be made a bigint to be compared. */
function parts(value: Numeric): Parts {
  const text = value instanceof ExactNumber ? value.text : String(value);
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text);
  if (match === null) throw new TypeError('not a number of Rego');
  const [, sign, whole = '', fraction = '', exponent = '0'] = match;
  const all = `${whole}${fraction}`;
  let [start, end] = [0, all.length];
  while (start < end && all.charCodeAt(start) === ZERO) start++;
  while (end > start && all.charCodeAt(end - 1) === ZERO) end--;
  if (start === end) return { negative: false, digits: '', exponent: 0 };
  return {
    negative: sign === '-',
    digits: all.slice(start, end),
    exponent: clamp(Number(exponent)) - fraction.length + (all.length - end),
  };
}

const ZERO = 0x30;

/** Nobody writes out what such an exponent stands for. */
function clamp(exponent: number): number {
  return Math.max(-1e15, Math.min(1e15, exponent));
}

function compareParts(a: Parts, b: Parts): number {
  const signs = sign(a) - sign(b);
  if (signs !== 0) return signs;
  if (a.digits === '') return 0;
  // The power of ten that the first digit stands for decides, and then the digits, as they stand.
  const magnitudes = a.digits.length + a.exponent - (b.digits.length + b.exponent);
  const order = magnitudes !== 0 ? magnitudes : a.digits < b.digits ? -1 : Number(a.digits > b.digits);
  return order !== 0 && a.negative ? -order : order;
}

function sign({ negative, digits }: Parts): number {
  return digits === '' ? 0 : negative ? -1 : 1;
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
