import type { Builtins } from './builtin.js';

/** json.match_schema, json.verify_schema */
export const JSON_SCHEMA: Builtins = {};
