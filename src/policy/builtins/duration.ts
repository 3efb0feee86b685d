import { BuiltinError } from './builtin.js';

const NANOSECONDS: ReadonlyMap<string, bigint> = new Map([
  ['ns', 1n],
  ['us', 1_000n],
  ['µs', 1_000n],
  ['μs', 1_000n],
  ['ms', 1_000_000n],
  ['s', 1_000_000_000n],
  ['m', 60_000_000_000n],
  ['h', 3_600_000_000_000n],
]);

/** Units that OPA has besides Go's, in hours. */
const HOURS: ReadonlyMap<string, number> = new Map([
  ['d', 24],
  ['w', 7 * 24],
  ['y', 365 * 24],
]);

const MOST = 1n << 63n;

/**
 * A duration as Go writes it (`1h15m30.5s`), and with days, weeks and years of 365 days: `1d2h`.
 *
 * @returns nanoseconds
 * @throws BuiltinError for anything else, and beyond 64 bits
 */
export function parseDuration(text: string): bigint {
  const [, sign = '', magnitude = ''] = /^([-+]?)(.*)$/s.exec(text) ?? [];
  if (magnitude === '0') return 0n;
  const extended = /[dwy]/.test(text);
  let total = 0n;
  let rest = magnitude;
  if (rest === '') throw invalid();
  while (rest !== '') {
    const part = (extended ? EXTENDED : PLAIN).exec(rest);
    if (part === null) throw invalid();
    rest = rest.slice(part[0].length);
    const [, digits = '', unit = ''] = part;
    const hours = HOURS.get(unit);
    total += hours === undefined ? nanoseconds(digits, unit) : nanoseconds(inHours(digits, hours), 'h');
    if (total > MOST) throw invalid();
  }
  if (sign === '-') return -total;
  if (total === MOST) throw invalid();
  return total;
}

/** A unit is what comes before the next digit. */
const PLAIN = /^([0-9]*(?:\.[0-9]*)?)([^0-9.]+)/;

/** One letter is a unit here, so that `1d2h` and `1hm` differ; µ is the micro sign only. */
const EXTENDED = /^([0-9.]+)(ms|us|µs|ns|[a-z])/;

function nanoseconds(digits: string, unit: string): bigint {
  const each = NANOSECONDS.get(unit);
  const [, whole = '', fraction = ''] = /^([0-9]*)(?:\.([0-9]*))?$/.exec(digits) ?? [];
  if (each === undefined || whole + fraction === '') throw invalid();
  // More digits than that are more than 64 bits hold; converting them would take its time.
  if (whole.replace(/^0+/, '').length > 19) throw invalid();
  const before = BigInt(whole === '' ? '0' : whole) * each;
  if (before > MOST) throw invalid();
  return before + part(fraction, each);
}

/** The fraction of a unit, by Go's own way through doubles. */
function part(fraction: string, each: bigint): bigint {
  let [value, scale] = [0n, 1];
  for (const digit of fraction) {
    if (value > (MOST - 1n) / 10n) break;
    const next = value * 10n + BigInt(digit);
    if (next > MOST) break;
    value = next;
    scale *= 10;
  }
  return BigInt(Math.trunc(Number(value) * (Number(each) / scale)));
}

/** Days, weeks and years in hours, through a double as OPA has it, written without an exponent. */
function inHours(digits: string, hours: number): string {
  const value = Number(digits) * hours;
  if (!/^(?:[0-9]+\.?[0-9]*|\.[0-9]+)$/.test(digits) || !(value < 1e15)) throw invalid();
  // A double of ten to the minus seven and less is written with an exponent, and is less than a nanosecond in hours.
  return value < 1e-6 ? value.toFixed(30) : String(value);
}

function invalid(): BuiltinError {
  return new BuiltinError('time: invalid duration');
}
