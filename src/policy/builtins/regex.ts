import type { Builtins } from './builtin.js';

/** regex.find_n, regex.replace, regex.split, regex.template_match */
export const REGEX: Builtins = {};
