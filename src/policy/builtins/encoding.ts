import type { Builtins } from './builtin.js';

/** base64url.encode_no_pad, hex.*, urlquery.*, yaml.*, json.marshal_with_options */
export const ENCODING: Builtins = {};
