import { refuse, type Refusal } from '../errors/refusal.js';

export type BearerCode = 'token_missing' | 'token_duplicate' | 'token_too_large' | 'token_malformed';

/** What nearly every header is: the scheme and a token68 (RFC 9110 section 11.2), which has no comma. */
const PLAIN = /^bearer +([A-Za-z0-9\-._~+/]+=*)$/i;

/**
 * The token of `Authorization: Bearer` (RFC 6750 section 2.1). A header of another scheme is no token of
 * ours; more than one header is refused, since the next hop might read the other one.
 *
 * @param lines every value of the header that arrived; Envoy may have joined several with commas
 * @param maxBytes a longer token is refused before anything of it is decoded
 */
export function readBearer(lines: readonly string[], maxBytes: number): string | Refusal<BearerCode> {
  if (lines.length === 0) return refuse('token_missing', 'no authorization header');
  if (lines.length > 1) return refuse('token_duplicate', 'more than one authorization header');
  const line = lines[0]!;
  const plain = PLAIN.exec(line);
  if (plain !== null && plain[1]!.length <= maxBytes) return plain[1]!;
  // Neither a token nor a scheme may hold a comma: it is what joins two headers into one.
  if (/,/.test(line)) return refuse('token_duplicate', 'a comma in the authorization header');
  // With `s` the dot takes every character, so that no line makes the expression try each number of spaces.
  const match = /^bearer(?: +(.*))?$/is.exec(line);
  if (match === null) {
    // Somebody behind us may be less strict about what stands between the scheme and a token.
    if (/^\s*(?:bearer|dpop)(?![!#$%&'*+.^_`|~0-9a-z-])/i.test(line))
      return refuse('token_malformed', 'a token, but not one of Authorization: Bearer');
    return refuse('token_missing', 'an authorization header of another scheme than Bearer');
  }
  const token = match[1] ?? '';
  if (token.length > maxBytes) return refuse('token_too_large', `longer than ${maxBytes} bytes`);
  if (!/^[A-Za-z0-9\-._~+/]+=*$/.test(token)) return refuse('token_malformed', 'not a token68');
  return token;
}
