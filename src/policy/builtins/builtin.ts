import {
  type RegoNumber,
  type RegoObject,
  type RegoSet,
  type RegoType,
  type RegoValue,
  typeOf,
} from '../value.js';
import { toInteger } from '../number.js';

/** What a built-in may know besides its operands. One context serves one evaluation. */
export interface BuiltinContext {
  /** Nanoseconds since the epoch: one instant for the whole evaluation. */
  readonly now: bigint;
  /** Random bytes, from a cryptographic source unless a test gives another. */
  readonly random: (length: number) => Uint8Array;
  /** What must be the same when it is asked for again in this evaluation, such as `uuid.rfc4122` of one key. */
  readonly cache: Map<string, RegoValue>;
  /** Where `print` writes a line to. Without it the line is discarded. */
  readonly print?: (line: string) => void;
}

/**
 * A built-in function that OPA's Wasm leaves to its host. `undefined` leaves the calling expression undefined.
 * It never waits, and takes time and memory within what its operands' sizes account for: a caller wrote them.
 *
 * @throws BuiltinError where OPA's own would fail
 */
export type Builtin = (context: BuiltinContext, ...operands: RegoValue[]) => RegoValue | undefined;

/** One family of built-ins, by the names that Rego calls them by. */
export type Builtins = { readonly [name: string]: Builtin };

/**
 * A built-in that cannot do what it was asked to. As in OPA (without `strict-builtin-errors`) the expression
 * that called it is then undefined, and the evaluation goes on. The message is OPA's as far as it matters.
 */
export class BuiltinError extends Error {
  override readonly name = 'BuiltinError';
}

interface Types {
  null: null;
  boolean: boolean;
  number: RegoNumber;
  string: string;
  array: readonly RegoValue[];
  object: RegoObject;
  set: RegoSet;
}

/**
 * An operand, as one of the types that it may have.
 *
 * @param position from 1, as OPA counts them
 * @throws BuiltinError for any other type
 */
export function operand<T extends RegoType>(value: RegoValue, position: number, ...types: T[]): Types[T] {
  const type = typeOf(value);
  if ((types as RegoType[]).includes(type)) return value as Types[T];
  const wanted = types.length === 1 ? types[0] : `one of {${types.join(', ')}}`;
  throw new BuiltinError(`operand ${position} must be ${wanted} but got ${type}`);
}

/**
 * An operand that is an integer, also one written `1.0`.
 *
 * @throws BuiltinError for another type, and for a number with a fraction
 */
export function integer(value: RegoValue, position: number): bigint {
  const found = toInteger(operand(value, position, 'number'));
  if (found === undefined)
    throw new BuiltinError(`operand ${position} must be integer number but got floating-point number`);
  return found;
}

/**
 * The strings in an array or a set.
 *
 * @throws BuiltinError for any other type, and for an element that is none
 */
export function strings(value: RegoValue, position: number): string[] {
  return Array.from(operand(value, position, 'array', 'set'), (element) => {
    if (typeof element === 'string') return element;
    throw new BuiltinError(
      `operand ${position} must be array or set of strings but got ${typeOf(element)} in it`,
    );
  });
}
