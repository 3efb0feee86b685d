import type { Builtins } from './builtin.js';

/** io.jwt.* */
export const JWT: Builtins = {};
