import type { Builtins } from './builtin.js';

/** sprintf */
export const SPRINTF: Builtins = {};
