import { toDecimal } from '../number.js';
import type { RegoNumber } from '../value.js';
import { limit } from './limit.js';
import { numberText } from './rego-text.js';

/** What Go's `big.Float` keeps of a number that it reads: so many significant bits, the nearest to what is written. */
const PRECISION = 64;

/** Decimal digits of a number, written out without an exponent. */
const MOST_DIGITS = 10_000;

/**
 * A number without what is behind its point. One that is written as an integer is taken as it is, any other one
 * rounded to 64 bits first, as in OPA.
 *
 * @throws LimitError for a number of too many digits
 */
export function truncate(value: RegoNumber): bigint {
  const text = numberText(value);
  limit('digits of a number', text.length, MOST_DIGITS);
  if (/^-?[0-9]+$/.test(text)) return BigInt(text);
  const { digits, exponent } = toDecimal(value);
  const magnitude = digits < 0n ? -digits : digits;
  const length = String(magnitude).length;
  // Below a tenth nothing rounds up to one.
  if (magnitude === 0n || length + exponent < 0) return 0n;
  limit('digits of a number', length + Math.abs(exponent), MOST_DIGITS);
  const scale = 10n ** BigInt(Math.abs(exponent));
  const whole = exponent < 0 ? roundedQuotient(magnitude, scale) : roundedQuotient(magnitude * scale, 1n);
  return digits < 0n ? -whole : whole;
}

/** What is before the point of a quotient of the nearest 64 bits; of two that are as near the even one counts. */
function roundedQuotient(numerator: bigint, denominator: bigint): bigint {
  let shift = PRECISION - bits(numerator) + bits(denominator);
  let quotient = divide(numerator, denominator, shift);
  // The quotient of the lengths is one bit off for some.
  if (bits(quotient.whole) > PRECISION) quotient = divide(numerator, denominator, --shift);
  const { whole, rest, divisor } = quotient;
  const up = 2n * rest > divisor || (2n * rest === divisor && whole % 2n === 1n);
  const kept = up ? whole + 1n : whole;
  return shift > 0 ? kept >> BigInt(shift) : kept << BigInt(-shift);
}

function divide(numerator: bigint, denominator: bigint, shift: number) {
  const dividend = shift > 0 ? numerator << BigInt(shift) : numerator;
  const divisor = shift < 0 ? denominator << BigInt(-shift) : denominator;
  return { whole: dividend / divisor, rest: dividend % divisor, divisor };
}

function bits(value: bigint): number {
  return value.toString(2).length;
}
