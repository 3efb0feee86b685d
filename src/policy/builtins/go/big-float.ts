/**
 * As much of Go's `big.Float` as units need: numbers of 64 significant bits, rounded to the nearest and halves
 * to even, whose every rounding shows in the bytes that come out.
 */

/** `mantissa × 2^exponent`. */
export interface BigFloat {
  readonly mantissa: bigint;
  readonly exponent: number;
}

const PRECISION = 64;

/** As `SetString` reads it: the digits times five to the power, which itself has 64 bits more. */
export function fromDecimal(digits: bigint, exponent: number): BigFloat {
  if (digits === 0n) return { mantissa: 0n, exponent: 0 };
  if (exponent === 0) return rounded({ mantissa: digits, exponent: 0 }, PRECISION);
  const power = powerOfFive(Math.abs(exponent));
  if (exponent > 0) {
    const scaled = { mantissa: digits * power.mantissa, exponent: exponent + power.exponent };
    return rounded(scaled, PRECISION);
  }
  // Enough bits that the remainder only says whether there is one.
  const shift = Math.max(0, bits(power.mantissa) - bits(digits)) + PRECISION + 2;
  const dividend = (digits < 0n ? -digits : digits) << BigInt(shift);
  const quotient = dividend / power.mantissa;
  const sticky = dividend % power.mantissa === 0n ? 0n : 1n;
  const mantissa = (quotient << 1n) | sticky;
  return rounded(
    { mantissa: digits < 0n ? -mantissa : mantissa, exponent: exponent - power.exponent - shift - 1 },
    PRECISION,
  );
}

export function times(a: BigFloat, factor: bigint): BigFloat {
  return rounded({ mantissa: a.mantissa * factor, exponent: a.exponent }, PRECISION);
}

/** Cut off towards zero. */
export function toInteger({ mantissa, exponent }: BigFloat): bigint {
  if (exponent >= 0) return mantissa << BigInt(exponent);
  const magnitude = (mantissa < 0n ? -mantissa : mantissa) >> BigInt(-exponent);
  return mantissa < 0n ? -magnitude : magnitude;
}

/** In the steps that Go takes, since each of them rounds. */
function powerOfFive(power: number): BigFloat {
  const most = 27;
  if (power <= most) return { mantissa: 5n ** BigInt(power), exponent: 0 };
  let result: BigFloat = { mantissa: 5n ** BigInt(most), exponent: 0 };
  let square: BigFloat = { mantissa: 5n, exponent: 0 };
  for (let left = power - most; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) result = rounded(product(result, square), 2 * PRECISION);
    square = rounded(product(square, square), 3 * PRECISION);
  }
  return result;
}

function product(a: BigFloat, b: BigFloat): BigFloat {
  return { mantissa: a.mantissa * b.mantissa, exponent: a.exponent + b.exponent };
}

function bits(value: bigint): number {
  const hex = (value < 0n ? -value : value).toString(16);
  return hex.length * 4 - Math.clz32(Number.parseInt(hex[0]!, 16)) + 28;
}

function rounded({ mantissa, exponent }: BigFloat, precision: number): BigFloat {
  const drop = bits(mantissa) - precision;
  if (drop <= 0) return { mantissa, exponent };
  const magnitude = mantissa < 0n ? -mantissa : mantissa;
  const kept = magnitude >> BigInt(drop);
  const rest = magnitude - (kept << BigInt(drop));
  const half = 1n << BigInt(drop - 1);
  const up = rest > half || (rest === half && (kept & 1n) === 1n) ? 1n : 0n;
  return { mantissa: mantissa < 0n ? -(kept + up) : kept + up, exponent: exponent + drop };
}
