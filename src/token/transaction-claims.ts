import type { ExactJson } from '../json/exact.js';
import type { JsonObject } from '../jws/compact.js';

/** What a verified transaction token says. Times are seconds since the epoch. */
export interface Transaction {
  readonly issuer: string;
  /** `txn`: the same for all calls that one request from outside led to. */
  readonly id: string;
  readonly subject: string;
  readonly scopes: readonly string[];
  /** `req_wl`: who asked for the token. */
  readonly requestingWorkload: string;
  /** `tctx` and `rctx`. */
  readonly context?: JsonObject;
  readonly requesterContext?: JsonObject;
  readonly claims: JsonObject;
  readonly issuedAt: number;
  readonly expiresAt: number;
}

/**
 * Reads the claims of a transaction token (draft-ietf-oauth-transaction-tokens-10). All that it requires has to be
 * there, and `aud` has to be the trust domain and nothing else.
 *
 * @returns what is wrong, in words that name the claim and not its value
 */
export function readTransactionClaims(
  claims: JsonObject,
  issuer: string,
  trustDomain: string,
): Transaction | string {
  for (const name of ['txn', 'sub', 'scope', 'req_wl'])
    if (typeof claims[name] !== 'string' || claims[name] === '') return `${name} is missing or not text`;
  for (const name of ['iat', 'exp']) if (!isNumericDate(claims[name])) return `${name} is no NumericDate`;
  if (claims.nbf !== undefined && !isNumericDate(claims.nbf)) return 'nbf is no NumericDate';
  const audience = Array.isArray(claims.aud) ? claims.aud : [claims.aud];
  if (audience.length !== 1 || audience[0] !== trustDomain) return 'aud is not the trust domain';
  const { tctx, rctx } = claims;
  if (tctx !== undefined && !isObject(tctx)) return 'tctx is not an object';
  if (rctx !== undefined && !isObject(rctx)) return 'rctx is not an object';
  return {
    issuer,
    id: claims.txn as string,
    subject: claims.sub as string,
    scopes: (claims.scope as string).split(' ').filter((scope) => scope !== ''),
    requestingWorkload: claims.req_wl as string,
    ...(tctx && { context: tctx }),
    ...(rctx && { requesterContext: rctx }),
    claims,
    issuedAt: claims.iat as number,
    expiresAt: claims.exp as number,
  };
}

function isNumericDate(value: ExactJson | undefined): boolean {
  return typeof value === 'number' && Number.isFinite(value);
}

function isObject(value: ExactJson): value is { [name: string]: ExactJson } {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
