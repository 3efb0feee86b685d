import type { Builtins } from './builtin.js';

/** json.patch */
export const JSON_PATCH: Builtins = {};
