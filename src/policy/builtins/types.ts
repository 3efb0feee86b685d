import type { Builtins } from './builtin.js';

/** cast_* */
export const TYPES: Builtins = {};
