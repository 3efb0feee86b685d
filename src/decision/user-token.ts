import { isRefusal, refuse, type Refusal } from '../errors/refusal.js';
import type { WorkloadIdentity } from '../identity/types.js';
import type { Misuse, TokenRefusal, TokenVerifier, VerifiedToken } from '../token/types.js';
import type { RequestFacts } from './facts.js';
import type { TokenMode } from './route.js';

/** A second token: that of the user for whom the workload asks, in a header of its own. */
export interface UserTokenOptions {
  /** In small letters. */
  readonly header: string;
  /** What applies on routes that say nothing of it. */
  readonly mode: TokenMode;
  /** It knows the issuers of such tokens alone. */
  readonly verifier: TokenVerifier;
}

export type UserTokenCode = 'user_token_missing' | 'user_token_refused' | 'user_token_unavailable';

export interface UserTokenRefusal extends Refusal<UserTokenCode> {
  readonly misuse?: Misuse;
}

/**
 * Verifies the token of the user's header, which may be written with or without `Bearer`, as an access token is
 * verified: by the rules of its issuer, and against the workload that presents it.
 *
 * @param now milliseconds since the epoch
 */
export function verifyUserToken(
  { header, verifier }: UserTokenOptions,
  facts: RequestFacts,
  identity: WorkloadIdentity,
  now: number,
): VerifiedToken | UserTokenRefusal | Promise<VerifiedToken | UserTokenRefusal> {
  const lines = facts.header(header).map((line) => (/^bearer(?: |$)/i.test(line) ? line : `Bearer ${line}`));
  const outcome = verifier.verify({
    authorization: lines,
    ...(identity.thumbprint !== undefined && { peerThumbprint: identity.thumbprint }),
    presenter: identity.spiffeId,
    now,
  });
  const settle = (token: VerifiedToken | TokenRefusal) =>
    isRefusal(token) ? refuseUserToken(header, token) : token;
  return outcome instanceof Promise ? outcome.then(settle) : settle(outcome);
}

/** The client is told that it is this token, and not the access token, that is no good. */
export function refuseUserToken(
  header: string,
  refusal: Refusal & { readonly misuse?: Misuse },
): UserTokenRefusal {
  const detail = `${header}: ${refusal.code}: ${refusal.detail}`;
  if (refusal.code === 'token_missing') return refuse('user_token_missing', detail);
  const { misuse } = refusal;
  return {
    ...refuse(/_unavailable$/.test(refusal.code) ? 'user_token_unavailable' : 'user_token_refused', detail),
    ...(misuse && { misuse }),
  };
}
