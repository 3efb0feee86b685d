import type { RegoValue } from '../value.js';
import { type Builtins, operand } from './builtin.js';

/** A note for OPA's explanations. There is nobody to read it while decisions are made, so it only holds. */
function trace(_: unknown, note: RegoValue): boolean {
  operand(note, 1, 'string');
  return true;
}

/** trace; rego.metadata.* are compiled away, and rego.parse_module is refused */
export const REGO: Builtins = { trace };
