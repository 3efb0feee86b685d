import { fromInteger } from '../number.js';
import { ExactNumber } from '../../json/exact.js';
import { type Builtins, BuiltinError, operand } from './builtin.js';
import { fromDecimal, times, toInteger } from './go/big-float.js';
import { LimitError } from './limit.js';

/** units.* */
export const UNITS: Builtins = {
  'units.parse'(_, text) {
    const { number, unit } = split(operand(text, 1, 'string').replaceAll('"', ''), 'units.parse', 'amount');
    // Only what follows the first letter is lowered, since m and M differ.
    const name = unit.slice(0, 1) + unit.slice(1).toLowerCase();
    const factor = name === 'm' ? MILLI : RATIOS.get(name);
    if (factor === undefined) throw new BuiltinError(`units.parse: unit ${name} not recognized`);
    return product(decimal(number, 'units.parse: could not parse amount to a number'), factor);
  },

  'units.parse_bytes'(_, text) {
    const lowered = operand(text, 1, 'string').toLowerCase().replaceAll('"', '');
    const { number, unit } = split(lowered, 'units.parse_bytes', 'byte amount');
    const factor = BYTES.get(unit);
    if (factor === undefined) throw new BuiltinError(`units.parse_bytes: byte unit ${unit} not recognized`);
    const amount = decimal(number, 'units.parse_bytes: could not parse byte amount to a number');
    // In 64 bits of precision, as OPA's big.Float has it.
    const bytes = toInteger(times(fromDecimal(amount.digits, amount.exponent), factor));
    return fromInteger(bytes);
  },
};

/** Powers of ten beyond it are no amount of anything, and a text of a few characters asks for them. */
const LARGEST_POWER = 10_000;

/** The double nearest to 0.001, which is the milli that OPA multiplies by; its last digits never show. */
const MILLI: Ratio = { over: BigInt(0.001 * 2 ** 62), under: 2n ** 62n };

interface Ratio {
  readonly over: bigint;
  readonly under: bigint;
}

const RATIOS = new Map<string, Ratio>([['', { over: 1n, under: 1n }]]);
const BYTES = new Map<string, bigint>([['', 1n]]);
for (const [i, letter] of [...'kmgtpe'].entries()) {
  const [decimals, binary] = [1000n ** BigInt(i + 1), 1024n ** BigInt(i + 1)];
  for (const first of [letter, letter.toUpperCase()]) {
    if (first !== 'm') RATIOS.set(first, { over: decimals, under: 1n });
    RATIOS.set(`${first}i`, { over: binary, under: 1n });
  }
  for (const [suffix, factor] of Object.entries({ '': decimals, b: decimals, i: binary, ib: binary }))
    BYTES.set(`${letter}${suffix}`, factor);
}

/** Where the number ends and the unit begins. An `e` is part of the number where digits or a sign follow it. */
function split(text: string, name: string, what: string): { number: string; unit: string } {
  if (text.includes(' ')) throw new BuiltinError(`${name}: spaces not allowed in resource strings`);
  const number = /^(?:[0-9.+-]|[eE](?=[0-9+-])[+-]?)*/.exec(text)![0];
  if (/[eE][+-]?[0-9]{7}/.test(number)) throw new BuiltinError(`${name}: exponent too large`);
  if (number === '') throw new BuiltinError(`${name}: no ${what} provided`);
  return { number, unit: text.slice(number.length) };
}

function decimal(text: string, otherwise: string): { digits: bigint; exponent: number } {
  const match = /^([+-]?)(?=\.?[0-9])([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]+))?$/.exec(text);
  if (match === null) throw new BuiltinError(otherwise);
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match;
  const digits = BigInt(`${whole}${fraction}`);
  const power = Number(exponent) - fraction.length;
  if (power > LARGEST_POWER) throw new LimitError(`units: a number beyond 10^${LARGEST_POWER}`);
  return { digits: sign === '-' ? -digits : digits, exponent: power };
}

/** An integer as it is; anything else with ten decimals, halves rounded away from zero (`big.Rat.FloatString`). */
function product(
  amount: { digits: bigint; exponent: number },
  { over, under }: Ratio,
): number | bigint | ExactNumber {
  const scaled = amount.digits * over;
  if (scaled === 0n) return 0;
  if (amount.exponent >= 0) {
    // A power of two divides no power of ten but through its own twos.
    const twos = under === 1n ? 0n : 62n;
    const enough = BigInt(amount.exponent) >= twos || under === 1n;
    const power = enough ? amount.exponent - Number(twos) : amount.exponent;
    const whole = enough ? scaled * 5n ** twos : scaled * 10n ** BigInt(power);
    if (enough) return integer(whole, power);
    return whole % under === 0n ? integer(whole / under, 0) : tenDecimals(whole, under);
  }
  // Beyond this many places nothing is left that ten decimals would show.
  const places = Math.min(-amount.exponent, scaled.toString().length + 11);
  if (places < -amount.exponent) return new ExactNumber('0.0000000000');
  const divisor = under * 10n ** BigInt(places);
  return scaled % divisor === 0n ? integer(scaled / divisor, 0) : tenDecimals(scaled, divisor);
}

function integer(digits: bigint, zeros: number): number | bigint | ExactNumber {
  if (zeros > 20) return new ExactNumber(`${digits}${'0'.repeat(zeros)}`);
  return fromInteger(digits * 10n ** BigInt(zeros));
}

function tenDecimals(over: bigint, under: bigint): ExactNumber {
  const negative = over < 0n;
  const tenfold = (negative ? -over : over) * 10n ** 10n;
  const rounded = (2n * tenfold + under) / (2n * under);
  const text = rounded.toString().padStart(11, '0');
  return new ExactNumber(`${negative ? '-' : ''}${text.slice(0, -10)}.${text.slice(-10)}`);
}
