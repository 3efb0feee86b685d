import type { Builtins } from './builtin.js';

/** indexof_n, strings.*, but for the template */
export const STRINGS: Builtins = {};
