import type { Builtins } from './builtin.js';

/** graphql.* */
export const GRAPHQL: Builtins = {};
