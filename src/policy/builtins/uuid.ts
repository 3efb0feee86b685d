import type { Builtins } from './builtin.js';

/** uuid.* */
export const UUID: Builtins = {};
