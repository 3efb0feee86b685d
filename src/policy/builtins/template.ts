import type { Builtins } from './builtin.js';

/** strings.render_template */
export const TEMPLATE: Builtins = {};
