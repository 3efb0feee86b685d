/** Go's text of a float64 (package strconv), whose rounding of ties is to even, unlike JavaScript's. */

/** Digits without sign, and where the point stands among them: `0.d1d2… × 10^point`. */
interface Digits {
  readonly digits: string;
  readonly point: number;
}

/** No double has more digits behind the point than this; what is asked for beyond them is zeros. */
const MOST_DECIMALS = 1100;

/**
 * `strconv.FormatFloat(value, verb, precision, 64)` for a finite number.
 *
 * @param precision -1 for the fewest digits that give the number back
 */
export function formatFloat(value: number, verb: string, precision: number): string {
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  const magnitude = Math.abs(value);
  switch (verb) {
    case 'b':
      return sign + binary(magnitude);
    case 'x':
    case 'X':
      return sign + hexadecimal(magnitude, verb, precision);
    case 'e':
    case 'E':
      return sign + exponential(roundedTo(magnitude, precision, precision + 1), verb, precision);
    case 'f':
      return sign + fixed(withDecimals(magnitude, precision), precision);
    default:
      return sign + general(magnitude, verb, precision);
  }
}

function general(magnitude: number, verb: string, precision: number): string {
  const wanted = precision === 0 ? 1 : precision;
  const rounded = roundedTo(magnitude, precision, wanted);
  const { digits, point } = rounded;
  const count = magnitude === 0 ? 0 : digits.length;
  const exponent = (magnitude === 0 ? 0 : point) - 1;
  let threshold = wanted;
  if (threshold > count && count >= exponent + 1) threshold = count;
  if (precision < 0) threshold = 6;
  const e = verb === 'G' ? 'E' : 'e';
  if (exponent < -4 || exponent >= threshold)
    return exponential(rounded, e, Math.max(precision < 0 || wanted > count ? count - 1 : wanted - 1, 0));
  return fixed(rounded, Math.max(count - (exponent + 1), 0));
}

function exponential({ digits, point }: Digits, e: string, precision: number): string {
  const decimals = precision < 0 ? digits.length - 1 : precision;
  const fraction = decimals > 0 ? `.${digits.slice(1).padEnd(decimals, '0')}` : '';
  const exponent = digits === '0' ? 0 : point - 1;
  return `${digits[0]}${fraction}${e}${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

function fixed({ digits, point }: Digits, precision: number): string {
  const whole = point > 0 ? digits.slice(0, point).padEnd(point, '0') : '0';
  const behind = point > 0 ? digits.slice(point) : '0'.repeat(digits === '0' ? 0 : -point) + digits;
  const decimals =
    precision < 0 ? behind.replace(/^0$/, '') : behind.slice(0, precision).padEnd(precision, '0');
  return decimals === '' ? whole : `${whole}.${decimals}`;
}

function roundedTo(magnitude: number, precision: number, significant: number): Digits {
  if (precision < 0) return shortest(magnitude);
  return rounded(exact(magnitude), significant);
}

function withDecimals(magnitude: number, precision: number): Digits {
  if (precision < 0) return shortest(magnitude);
  const all = exact(magnitude);
  return rounded(all, all.point + Math.min(precision, MOST_DECIMALS));
}

function shortest(magnitude: number): Digits {
  const [digits = '', exponent = '0'] = magnitude.toExponential().split('e');
  return { digits: digits.replace('.', ''), point: magnitude === 0 ? 0 : Number(exponent) + 1 };
}

/** All of the decimal digits that a double has: `mantissa × 2^exponent`. */
function exact(magnitude: number): Digits {
  if (magnitude === 0) return { digits: '0', point: 0 };
  const { mantissa, exponent } = parts(magnitude);
  const scaled = exponent >= 0 ? mantissa << BigInt(exponent) : mantissa * 5n ** BigInt(-exponent);
  const text = scaled.toString();
  return { digits: text.replace(/0+$/, ''), point: text.length + Math.min(exponent, 0) };
}

/** @param count how many digits are kept; zero or less may still round up to one */
function rounded(all: Digits, count: number): Digits {
  const { digits, point } = all;
  if (count >= digits.length) return all;
  if (count < 0) return { digits: '0', point: 0 };
  const kept = digits.slice(0, count);
  const odd = count > 0 && Number(digits[count - 1]) % 2 === 1;
  const rest = digits.slice(count);
  const up = rest[0]! > '5' || (rest[0] === '5' && (rest.length > 1 || odd));
  if (!up) return trimmed(kept, point);
  const next = (BigInt(`0${kept}`) + 1n).toString().padStart(count, '0');
  return trimmed(next, next.length > count ? point + 1 : point);
}

function trimmed(digits: string, point: number): Digits {
  const significant = digits.replace(/0+$/, '');
  return significant === '' ? { digits: '0', point: 0 } : { digits: significant, point };
}

/** IEEE 754 binary64, taken apart. */
function parts(magnitude: number): { mantissa: bigint; exponent: number } {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, magnitude);
  const raw = bits.getBigUint64(0);
  const biased = Number(raw >> 52n) & 0x7ff;
  const fraction = raw & (2n ** 52n - 1n);
  return biased === 0
    ? { mantissa: fraction, exponent: -1074 }
    : { mantissa: fraction | (1n << 52n), exponent: biased - 1075 };
}

function binary(magnitude: number): string {
  const { mantissa, exponent } = parts(magnitude);
  return `${mantissa}p${exponent < 0 ? '' : '+'}${exponent}`;
}

/** `0x1.8p+01`: one bit before the point, and 52 behind it unless fewer are asked for. */
function hexadecimal(magnitude: number, verb: string, precision: number): string {
  let { mantissa, exponent } = parts(magnitude);
  if (mantissa === 0n) exponent = 0;
  else {
    const shift = 53 - mantissa.toString(2).length;
    mantissa <<= BigInt(shift);
    exponent += 52 - shift;
  }
  let bits = 52;
  if (precision >= 0 && precision < 13) {
    const drop = BigInt(52 - 4 * precision);
    const [kept, rest, half] = [mantissa >> drop, mantissa & ((1n << drop) - 1n), 1n << (drop - 1n)];
    mantissa = kept + (rest > half || (rest === half && (kept & 1n) === 1n) ? 1n : 0n);
    bits = 4 * precision;
    if (mantissa >> BigInt(bits) === 2n) {
      mantissa >>= 1n;
      exponent += 1;
    }
  }
  const lead = mantissa >> BigInt(bits);
  const all = (mantissa & ((1n << BigInt(bits)) - 1n)).toString(16).padStart(bits / 4, '0');
  const fraction = precision < 0 ? all.replace(/0+$/, '') : bits === 0 ? '' : all.padEnd(precision, '0');
  const power = `p${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
  const text = `0x${lead}${fraction === '' ? '' : `.${fraction}`}${power}`;
  return verb === 'X' ? text.toUpperCase() : text;
}
