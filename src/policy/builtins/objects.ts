import type { Builtins } from './builtin.js';

/** object.subset, graph.reachable_paths */
export const OBJECTS: Builtins = {};
