import type { Builtins } from './builtin.js';

/** numbers.range_step, rand.intn */
export const NUMBERS: Builtins = {};
