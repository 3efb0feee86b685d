import type { Builtins } from './builtin.js';

/** crypto.hmac.*, crypto.md5, crypto.sha1, crypto.sha256, crypto.parse_private_keys */
export const CRYPTO: Builtins = {};
