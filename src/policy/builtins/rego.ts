import type { Builtins } from './builtin.js';

/** rego.parse_module */
export const REGO: Builtins = {};
