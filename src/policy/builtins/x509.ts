import type { Builtins } from './builtin.js';

/** crypto.x509.* */
export const X509: Builtins = {};
