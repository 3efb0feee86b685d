import { type RegoValue } from '../value.js';
import { type BuiltinContext, type Builtins, operand } from './builtin.js';
import { globsIntersect } from './glob-intersection.js';

/** glob.quote_meta, regex.globs_match */
export const GLOB: Builtins = {
  'glob.quote_meta': (_: BuiltinContext, ...operands: RegoValue[]) =>
    operand(operands[0]!, 1, 'string').replace(/[*?\\[\]{}]/g, '\\$&'),
  'regex.globs_match': (_: BuiltinContext, ...operands: RegoValue[]) =>
    globsIntersect(operand(operands[0]!, 1, 'string'), operand(operands[1]!, 2, 'string')),
};
