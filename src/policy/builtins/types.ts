import type { RegoType, RegoValue } from '../value.js';
import { RegoSet } from '../value.js';
import { type Builtin, type Builtins, operand } from './builtin.js';

/** cast_*: deprecated in OPA since v0.13.0, and a check of the type, but for those that make one of two. */
export const TYPES: Builtins = {
  cast_array: (_, value) => [...operand(value, 1, 'array', 'set')],
  cast_set: (_, value) => new RegoSet(operand(value, 1, 'array', 'set')),
  cast_string: itself('string'),
  cast_boolean: itself('boolean'),
  cast_null: itself('null'),
  cast_object: itself('object'),
};

function itself(type: RegoType): Builtin {
  return (_, value): RegoValue => operand(value, 1, type);
}
