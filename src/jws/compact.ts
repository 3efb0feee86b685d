import { refuse, type Refusal } from '../errors/refusal.js';
import { parseExact, type ExactJson } from '../json/exact.js';

export interface JsonObject {
  readonly [name: string]: ExactJson;
}

/** A JWS in compact form, taken apart. Nothing of it is verified. */
export interface CompactJws {
  readonly header: JsonObject & { readonly alg: string };
  readonly payload: JsonObject;
  readonly type: string | undefined;
  readonly keyId: string | undefined;
}

export type JwsCode = 'token_malformed' | 'token_header_invalid';

/**
 * Takes a signed JWT apart, strictly: exactly three parts of unpadded, canonical base64url (RFC 7515 section 2);
 * JSON without repeated members (section 4); no critical extension, as none is understood (section 4.1.11).
 * `jku`, `jwk`, `x5u` and `x5c` are never looked at: a token does not choose its own key.
 */
export function readJws(token: string): CompactJws | Refusal<JwsCode> {
  const parts = token.split('.');
  if (parts.length !== 3) return refuse('token_malformed', `${parts.length} parts instead of 3`);
  const [headerText, payloadText, signature] = parts.map(decodeBase64Url);
  if (headerText === undefined || payloadText === undefined || signature === undefined)
    return refuse('token_malformed', 'a part is not unpadded base64url');
  const header = readObject(headerText);
  if (header === undefined) return refuse('token_header_invalid', 'the header is not a JSON object');
  const payload = readObject(payloadText);
  if (payload === undefined) return refuse('token_malformed', 'the claims are not a JSON object');
  const { alg, typ, kid } = header;
  if (typeof alg !== 'string') return refuse('token_header_invalid', 'alg is not a string');
  if (typ !== undefined && typeof typ !== 'string')
    return refuse('token_header_invalid', 'typ is not a string');
  if (kid !== undefined && typeof kid !== 'string')
    return refuse('token_header_invalid', 'kid is not a string');
  if (header.crit !== undefined) return refuse('token_header_invalid', 'a critical extension');
  return { header: header as CompactJws['header'], payload, type: typ, keyId: kid };
}

/** Decodes what encodes back to the same text: no padding, no white space, no stray bits at the end. */
function decodeBase64Url(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url');
  return text !== '' && bytes.toString('base64url') === text ? bytes : undefined;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function readObject(bytes: Buffer): JsonObject | undefined {
  try {
    const value = parseExact(UTF8.decode(bytes));
    const isObject =
      typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
    return isObject ? (value as JsonObject) : undefined;
  } catch {
    return undefined;
  }
}
