import { refuse, type Refusal } from '../errors/refusal.js';

export type BearerCode = 'token_missing' | 'token_duplicate' | 'token_too_large' | 'token_malformed';

/** What nearly every header is: the scheme and a token68 (RFC 9110 section 11.2), which has no comma. */
const PLAIN = /^(bearer|dpop) +([A-Za-z0-9\-._~+/]+=*)$/i;
/** An access token as it came. */
export interface Credential {
  readonly scheme: 'bearer' | 'dpop';
  readonly token: string;
}

/**
 * The token of `Authorization: Bearer` (RFC 6750 section 2.1) or `DPoP` (RFC 9449 section 7.1). A header of another
 * scheme is no token of ours; more than one header is refused, since the next hop might read the other one.
 *
 * @param lines every value of the header that arrived; Envoy may have joined several with commas
 * @param maxBytes a longer token is refused before anything of it is decoded
 */
export function readCredential(lines: readonly string[], maxBytes: number): Credential | Refusal<BearerCode> {
  if (lines.length === 0) return refuse('token_missing', 'no authorization header');
  if (lines.length > 1) return refuse('token_duplicate', 'more than one authorization header');
  const line = lines[0]!;
  const plain = PLAIN.exec(line);
  if (plain !== null && plain[2]!.length <= maxBytes)
    return { scheme: schemeOf(plain[1]!), token: plain[2]! };
  // Neither a token nor a scheme may hold a comma: it is what joins two headers into one.
  if (/,/.test(line)) return refuse('token_duplicate', 'a comma in the authorization header');
  // With `s` the dot takes every character, so that no line makes the expression try each number of spaces.
  const match = /^(bearer|dpop)(?: +(.*))?$/is.exec(line);
  if (match === null) {
    // Somebody behind us may be less strict about what stands between the scheme and a token.
    if (/^\s*(?:bearer|dpop)(?![!#$%&'*+.^_`|~0-9a-z-])/i.test(line))
      return refuse('token_malformed', 'a token, but not one of Authorization: Bearer or DPoP');
    return refuse('token_missing', 'an authorization header of another scheme than Bearer or DPoP');
  }
  const token = match[2] ?? '';
  if (token.length > maxBytes) return refuse('token_too_large', `longer than ${maxBytes} bytes`);
  if (!/^[A-Za-z0-9\-._~+/]+=*$/.test(token)) return refuse('token_malformed', 'not a token68');
  return { scheme: schemeOf(match[1]!), token };
}

/** The two that come here differ in length. */
function schemeOf(text: string): Credential['scheme'] {
  return text.length === 4 ? 'dpop' : 'bearer';
}
