import type { Builtins } from './builtin.js';

/** semver.* */
export const SEMVER: Builtins = {};
