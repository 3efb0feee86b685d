import type { RegoValue } from '../value.js';
import { BuiltinError, type Builtins } from './builtin.js';
import { LimitError } from './limit.js';
import { decodeVerify } from './jwt-decode-verify.js';
import { encodeSign, encodeSignRaw } from './jwt-sign.js';
import { decodeHeader, decodeSection, readObject, splitToken } from './jwt-token.js';
import { JWT_VERIFY } from './jwt-verify.js';

/** Tokens within one another; OPA has no bound. */
const MAX_NESTED = 16;

/**
 * io.jwt.decode: `[header, payload, signature in hex]`. Nothing is verified.
 *
 * @throws BuiltinError for what is not a JWS in compact form with JSON objects in it; it never quotes the token
 */
function decode(_: unknown, jwt: RegoValue): RegoValue {
  let current = jwt;
  for (let depth = 0; depth < MAX_NESTED; depth++) {
    const token = splitToken(current);
    const header = decodeHeader(token);
    const payload = decodeSection('JWT payload had invalid encoding', token.payload).toString();
    const cty = header.get('cty');
    if (cty !== undefined && typeof cty !== 'string') throw new BuiltinError('cty: must be a string');
    if (cty !== 'JWT') {
      const claims = readObject(payload);
      const signature = decodeSection('JWT signature had invalid encoding', token.signature);
      return [header, claims, signature.toString('hex')];
    }
    // A token in a token may come in quotes: jwt.io writes it so.
    current = unquote(payload);
  }
  throw new LimitError(`JWTs are nested deeper than ${MAX_NESTED}`);
}

function unquote(text: string): string {
  const quoted = (i: number) => text[i] === '"' || text[i] === "'";
  let start = 0;
  let end = text.length;
  while (start < end && quoted(start)) start++;
  while (end > start && quoted(end - 1)) end--;
  return text.slice(start, end);
}

/** io.jwt.* */
export const JWT: Builtins = {
  'io.jwt.decode': decode,
  'io.jwt.decode_verify': decodeVerify,
  'io.jwt.encode_sign': encodeSign,
  'io.jwt.encode_sign_raw': encodeSignRaw,
  ...JWT_VERIFY,
};
