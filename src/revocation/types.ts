import type { Refusal } from '../errors/refusal.js';
import type { WorkloadIdentity } from '../identity/types.js';
import type { VerifiedToken } from '../token/types.js';

/** What an entry may ask of a request. An entry that asks for several things means all of them at once. */
export const TARGETS = ['issuer', 'subject', 'client', 'session', 'jti', 'spiffe_id'] as const;
export type Target = (typeof TARGETS)[number];

/**
 * One thing that is not to be let in any more. Plain data under the names that files, the admin API and the stores
 * have, so that there is one vocabulary. Times are NumericDates (seconds since the epoch, fractions allowed).
 */
export interface Revocation {
  /** Made of what the entry refuses: saying the same twice is one entry. */
  readonly id: string;
  /** `iss` of the token; with other targets, the issuer whose subject, client, session or jti it is. */
  readonly issuer?: string;
  /** `sub` of the token, or of its outermost actor. */
  readonly subject?: string;
  /** `client_id` of the token, or `azp`. */
  readonly client?: string;
  /** `sid` of the token. */
  readonly session?: string;
  readonly jti?: string;
  /** A workload, everything below a path (with `/*` at its end), or a whole trust domain (without a path). */
  readonly spiffe_id?: string;
  /** Tokens issued at this time or later are let in. */
  readonly issued_before?: number;
  /** From then on the entry refuses nothing; without it, it stands until it is lifted. */
  readonly expires?: number;
  /** For people. */
  readonly reason?: string;
  /** Who asked for it, as they said themselves. */
  readonly by?: string;
  readonly source: Source;
}

/** A list in a file, an operator, or an event of a security event transmitter. */
export type Source = 'file' | 'admin' | 'signal';

export type RevocationCode = 'token_revoked' | 'identity_revoked' | 'revocation_unavailable';

type Revoked<Code extends RevocationCode> = Refusal<Code | 'revocation_unavailable'> | undefined;

/** What of a token an entry can be about; a transaction token has as much. */
export type RevocableToken = Pick<
  VerifiedToken,
  'issuer' | 'subject' | 'clientId' | 'actor' | 'claims' | 'issuedAt'
>;

/**
 * The stage itself, asked at every request whether its identity and its token were verified just now or long ago.
 * It never throws. `now` is milliseconds since the epoch; undefined means that nothing speaks against it.
 */
export interface RevocationCheck {
  identity(identity: WorkloadIdentity, now: number): Revoked<'identity_revoked'>;
  /** Whether the list can be had: as long as it cannot, everything is refused. */
  available(now: number): boolean;
  token(token: RevocableToken, identity: WorkloadIdentity, now: number): Revoked<'token_revoked'>;
}
