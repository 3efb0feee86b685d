import type { Builtins } from './builtin.js';

/** glob.quote_meta, regex.globs_match */
export const GLOB: Builtins = {};
