import type { Builtins } from './builtin.js';

/** providers.aws.sign_req */
export const AWS: Builtins = {};
