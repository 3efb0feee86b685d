import type { RegoValue } from '../value.js';
import { BuiltinError, integer } from './builtin.js';

/**
 * An operand that Go takes as an `int`.
 *
 * @throws BuiltinError for another type, for a number with a fraction, and for one beyond 64 bits
 */
export function int64(value: RegoValue, position: number): bigint {
  const found = integer(value, position);
  if (BigInt.asIntN(64, found) !== found)
    throw new BuiltinError(`operand ${position} must be integer number but got floating-point number`);
  return found;
}
