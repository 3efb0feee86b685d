import { BuiltinError, type BuiltinContext } from '../../../src/policy/builtins/builtin.js';
import { HOST_BUILTINS } from '../../../src/policy/builtins/index.js';
import { parseValue } from '../../../src/policy/text.js';
import { RegoObject, RegoSet, type RegoValue } from '../../../src/policy/value.js';

const CONTEXT: BuiltinContext = {
  now: 1_764_000_000_000_000_000n,
  random: (length) => new Uint8Array(length),
  cache: new Map(),
};

/** Calls a built-in with what JavaScript has for JSON; the result comes back as such, sets as arrays. */
export function call(name: string, ...operands: unknown[]): unknown {
  const values = operands.map((operand) => parseValue(JSON.stringify(operand)));
  const result = HOST_BUILTINS[name]!(CONTEXT, ...values);
  return result === undefined ? undefined : plain(result);
}

/** The message of the BuiltinError that the call must end in. */
export function failure(name: string, ...operands: unknown[]): string {
  try {
    call(name, ...operands);
  } catch (error) {
    if (error instanceof BuiltinError) return error.message;
    throw error;
  }
  throw new Error(`${name} did not fail`);
}

function plain(value: RegoValue): unknown {
  if (value instanceof RegoObject) {
    return Object.fromEntries(Array.from(value, ([key, item]) => [String(key), plain(item)]));
  }
  if (value instanceof RegoSet || Array.isArray(value))
    return Array.from(value as Iterable<RegoValue>, plain);
  return value;
}
