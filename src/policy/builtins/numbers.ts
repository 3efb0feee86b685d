import { fromInteger } from '../number.js';
import type { RegoValue } from '../value.js';
import { truncate } from './big-float.js';
import { type Builtins, BuiltinError, integer, operand } from './builtin.js';
import { int64 } from './int64.js';
import { LimitError } from './limit.js';
import { numberText } from './rego-text.js';

/** Numbers that one range may have. OPA would go on until it is told to stop. */
const LONGEST_RANGE = 1_000_000n;

/** Of format_int, as they have to be written. */
const BASES = new Map([
  ['2', 2],
  ['8', 8],
  ['10', 10],
  ['16', 16],
]);

/** format_int, numbers.range_step, rand.intn */
export const NUMBERS: Builtins = {
  format_int(_, value, base) {
    const number = operand(value!, 1, 'number');
    const radix = BASES.get(numberText(operand(base!, 2, 'number')));
    if (radix === undefined) throw new BuiltinError('operand 2 must be one of {"2", "8", "10", "16"}');
    return truncate(number).toString(radix);
  },

  'numbers.range_step'(_, from, to, by) {
    const [first, last, step] = [integer(from, 1), integer(to, 2), integer(by, 3)];
    if (step <= 0n) throw new BuiltinError('numbers.range_step: step must be a positive integer');
    const distance = last > first ? last - first : first - last;
    const steps = distance / step;
    if (steps >= LONGEST_RANGE)
      throw new LimitError(`numbers.range_step: more than ${LONGEST_RANGE} numbers in a range`);
    const signed = last > first ? step : -step;
    return Array.from({ length: Number(steps) + 1 }, (_item, i) => fromInteger(first + signed * BigInt(i)));
  },

  /** Of one key and one bound the same in all of an evaluation. */
  'rand.intn'(context, key, bound) {
    const text = operand(key, 1, 'string');
    const wanted = int64(bound, 2);
    const below = wanted < 0n ? -wanted : wanted;
    if (below === 0n) return 0;
    const name = `rand.intn ${below} ${text}`;
    const known = context.cache.get(name);
    if (known !== undefined) return known;
    const drawn: RegoValue = fromInteger(uniform(context.random(24)) % below);
    context.cache.set(name, drawn);
    return drawn;
  },
};

/** Of 192 bits: that they are no multiple of a bound of 64 favours no result by more than 2^-128. */
function uniform(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
}
