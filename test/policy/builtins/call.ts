import { randomBytes } from 'node:crypto';
import { HOST_BUILTINS } from '../../../src/policy/builtins/index.js';
import type { BuiltinContext } from '../../../src/policy/builtins/builtin.js';
import { parseValue } from '../../../src/policy/text.js';
import { regoText } from '../../../src/policy/builtins/rego-text.js';
import type { RegoValue } from '../../../src/policy/value.js';

export function context(over: Partial<BuiltinContext> = {}): BuiltinContext {
  return { now: 0n, random: (length) => randomBytes(length), cache: new Map(), ...over };
}

/** What a built-in makes of its operands. */
export function call(name: string, ...operands: RegoValue[]): RegoValue | undefined {
  return HOST_BUILTINS[name]!(context(), ...operands);
}

/** The same with each operand, and the result, as Rego writes it. */
export function callText(name: string, ...operands: string[]): string {
  const result = call(name, ...operands.map(parseValue));
  return result === undefined ? 'undefined' : regoText(result);
}
