import type { Builtins } from './builtin.js';

/** units.* */
export const UNITS: Builtins = {};
