import { refuse, type Refusal } from '../errors/refusal.js';
import type { ExactJson } from '../json/exact.js';
import type { JsonObject } from '../jws/compact.js';
import { COMMON_CLAIMS, readGrants, type ClaimMapping } from './claim-mapping.js';
import type { VerifiedToken } from './types.js';

/** What an issuer's tokens are held to. */
export interface ClaimRules {
  readonly issuer: string;
  /** At least one of these has to stand in `aud`. */
  readonly audiences: readonly string[];
  /** `at+jwt` asks for all that RFC 9068 section 2.2 requires. */
  readonly profile: 'at+jwt' | 'jwt';
  /** The most that `exp` may lie after `iat`, in milliseconds. */
  readonly maxLifetime: number;
  /** Leeway for exp, nbf and iat, in milliseconds. */
  readonly clockSkew: number;
  /** Which claims say what a token grants. Default {@link COMMON_CLAIMS}. */
  readonly mapping?: ClaimMapping;
}

export type ClaimCode =
  | 'token_claims_invalid'
  | 'token_audience_mismatch'
  | 'token_expired'
  | 'token_not_yet_valid'
  | 'token_lifetime_exceeded';

type Rejected = Refusal<ClaimCode>;

/** Claims that passed, without the binding, which is about the request. */
export type Claims = Omit<VerifiedToken, 'actors' | 'binding' | 'bindings'> & { readonly notBefore?: number };

const RFC_9068_REQUIRED = ['iss', 'exp', 'aud', 'sub', 'client_id', 'iat', 'jti'];

/**
 * Checks a verified payload (RFC 7519 section 4.1, RFC 9068 section 4). Details name the claim, not its value.
 *
 * @param now milliseconds since the epoch
 */
export function readClaims(claims: JsonObject, rules: ClaimRules, now: number): Claims | Rejected {
  const shape = readShape(claims, rules);
  if ('refused' in shape) return shape;
  if (shape.issuer !== rules.issuer)
    return refuse('token_claims_invalid', 'iss is not the issuer of the key');
  const { audience, issuedAt, expiresAt } = shape;
  if (!audience.some((name) => rules.audiences.includes(name)))
    return refuse('token_audience_mismatch', `aud names none of ${rules.audiences.join(', ')}`);
  const untimely = checkTime(shape, rules.clockSkew, now);
  if (untimely) return untimely;
  if (issuedAt === undefined)
    return refuse('token_claims_invalid', 'iat is missing: without it no lifetime is known');
  if (issuedAt * 1000 > now + rules.clockSkew) return refuse('token_not_yet_valid', 'iat is in the future');
  if ((expiresAt - issuedAt) * 1000 > rules.maxLifetime)
    return refuse('token_lifetime_exceeded', `exp is more than ${rules.maxLifetime / 1000} s after iat`);
  return shape;
}

/**
 * Checks the times that a cached verdict has to be checked for again. RFC 7519 section 4.1.4: on `exp` the
 * token is no longer accepted.
 */
export function checkTime(
  claims: Pick<Claims, 'expiresAt' | 'notBefore'>,
  clockSkew: number,
  now: number,
): Refusal<'token_expired' | 'token_not_yet_valid'> | undefined {
  // Put this way round, a clock that gives no number makes every token too old.
  if (!(now < claims.expiresAt * 1000 + clockSkew)) return refuse('token_expired', 'exp has come');
  if (claims.notBefore !== undefined && now < claims.notBefore * 1000 - clockSkew)
    return refuse('token_not_yet_valid', 'nbf has not come yet');
  return undefined;
}

function readShape(claims: JsonObject, { profile, mapping = COMMON_CLAIMS }: ClaimRules): Claims | Rejected {
  const missing = (profile === 'at+jwt' ? RFC_9068_REQUIRED : ['iss', 'exp', 'aud', 'sub']).find(
    (name) => claims[name] === undefined,
  );
  if (missing !== undefined) return wrong(missing, 'is missing');
  for (const name of ['iss', 'sub', 'client_id', 'jti'])
    if (claims[name] !== undefined && typeof claims[name] !== 'string') return wrong(name, 'is not a string');
  for (const name of ['exp', 'nbf', 'iat'])
    if (claims[name] !== undefined && !isNumericDate(claims[name]))
      return wrong(name, 'is not a NumericDate');
  const audience = strings(claims.aud);
  if (audience === undefined) return wrong('aud', 'is neither a string nor an array of strings');
  const grants = readGrants(claims, mapping);
  if (!('scopes' in grants)) return wrong(grants.join('.'), 'is neither a string nor an array of strings');
  const { act } = claims;
  if (act !== undefined && !isObject(act)) return wrong('act', 'is not an object');
  // Written out, since a copy by ... that grows afterwards costs more than all the checks above.
  const { scopes, roles, groups } = grants;
  const shape: { -readonly [name in keyof Claims]: Claims[name] } = {
    issuer: claims.iss as string,
    subject: claims.sub as string,
    audience,
    scopes,
    roles,
    groups,
    claims,
    expiresAt: claims.exp as number,
  };
  if (claims.client_id !== undefined) shape.clientId = claims.client_id as string;
  if (act !== undefined) shape.actor = act;
  if (claims.iat !== undefined) shape.issuedAt = claims.iat as number;
  if (claims.nbf !== undefined) shape.notBefore = claims.nbf as number;
  return shape;
}

function wrong(claim: string, what: string): Rejected {
  return refuse('token_claims_invalid', `${claim} ${what}`);
}

/** RFC 7519 section 2; what does not fit a double arrives as bigint or ExactNumber, and is no date of ours. */
function isNumericDate(value: ExactJson | undefined): boolean {
  return typeof value === 'number' && Number.isFinite(value);
}

function strings(value: ExactJson | undefined): string[] | undefined {
  const all = Array.isArray(value) ? value : [value];
  return all.every((item) => typeof item === 'string') ? all : undefined;
}

function isObject(value: ExactJson): value is { [name: string]: ExactJson } {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
