import { isRefusal } from '../errors/refusal.js';
import { readJws } from '../jws/compact.js';

/** What a token endpoint gave (RFC 6749 section 5.1), as a library read it. */
export interface TokenResponse {
  readonly access_token: string;
  readonly token_type: string;
  readonly expires_in?: number;
  readonly scope?: string;
  readonly issued_token_type?: unknown;
}

/** Plain data. Times are milliseconds since the epoch. */
export interface ObtainedToken {
  readonly token: string;
  readonly obtainedAt: number;
  /** Undefined where nobody says: it is used once, and not kept. */
  readonly expiresAt?: number;
}

export interface Asked {
  readonly audience: string;
  readonly scopes: readonly string[];
  /** RFC 8693: what was asked for is an access token, and has to be called one. */
  readonly exchanged: boolean;
}

/** A header's value holds nothing else: RFC 6750 section 2.1. */
const TOKEN = /^[A-Za-z0-9\-._~+/]+=*$/;
/** Envoy takes 60 KiB of headers. */
const MOST_BYTES = 16 * 1024;
/** Seconds: thirty days. */
const LONGEST = 30 * 86_400;

const ACCESS_TOKENS = [
  'urn:ietf:params:oauth:token-type:access_token',
  'urn:ietf:params:oauth:token-type:jwt',
];

/**
 * Holds an answer against what was asked: whatever is wider, or no bearer token that a header can hold, is not passed on.
 *
 * @param now milliseconds since the epoch at which it was asked for
 * @returns what is wrong, without anything of the token
 */
export function readTokenResponse(
  response: TokenResponse,
  asked: Asked,
  now: number,
): ObtainedToken | string {
  const { access_token: token, token_type: type, expires_in: seconds, scope } = response;
  if (type.toLowerCase() !== 'bearer') return 'token_type is not Bearer';
  if (token.length > MOST_BYTES) return `the token is longer than ${MOST_BYTES} bytes`;
  if (!TOKEN.test(token)) return 'the token holds what no Authorization header can';
  const { issued_token_type: issued } = response;
  if (asked.exchanged && !ACCESS_TOKENS.includes(String(issued)))
    return 'issued_token_type is not that of an access token';
  const wider = (scope ?? '').split(' ').some((one) => one !== '' && !asked.scopes.includes(one));
  if (wider) return 'scope is wider than what was asked for';
  if (seconds !== undefined && !(seconds > 0 && seconds <= LONGEST))
    return `expires_in is not a number of seconds from 1 to ${LONGEST}`;
  const said = seconds === undefined ? undefined : now + seconds * 1000;
  return held(token, asked.audience, said, now);
}

/** What the token says of itself, where it is a JWT: it is not ours to verify, but what it says against itself counts. */
function held(
  token: string,
  audience: string,
  said: number | undefined,
  now: number,
): ObtainedToken | string {
  const jws = readJws(token);
  if (isRefusal(jws)) return { token, obtainedAt: now, ...(said !== undefined && { expiresAt: said }) };
  const { aud, exp } = jws.payload;
  if (aud !== undefined && ![aud].flat().includes(audience)) return 'aud is not what was asked for';
  const own = typeof exp === 'number' ? exp * 1000 : undefined;
  if (own !== undefined && !(own > now)) return 'exp has passed';
  const ends = [said, own].filter((end) => end !== undefined);
  return { token, obtainedAt: now, ...(ends.length > 0 && { expiresAt: Math.min(...ends) }) };
}
