import type { Builtins } from './builtin.js';

/** time.* */
export const TIME: Builtins = {};
