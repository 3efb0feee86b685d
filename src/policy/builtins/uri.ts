import type { Builtins } from './builtin.js';

/** uri.* */
export const URI: Builtins = {};
