import type { Builtins } from './builtin.js';

/** net.cidr_* */
export const NET: Builtins = {};
