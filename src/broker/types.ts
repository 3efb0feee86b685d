import type { Refusal } from '../errors/refusal.js';
import type { WorkloadIdentity } from '../identity/types.js';
import type { UpstreamTokenWish } from '../policy/types.js';
import type { VerifiedToken } from '../token/types.js';

/** Every reason for which the token that a policy asked for is not there. */
export type BrokerCode =
  | 'upstream_token_not_allowed'
  | 'upstream_token_subject_missing'
  | 'upstream_token_refused'
  | 'upstream_token_unavailable';

/** What a token is obtained for. The request was verified, was not revoked, and the policy let it through. */
export interface BrokerRequest {
  readonly wish: UpstreamTokenWish;
  readonly identity: WorkloadIdentity;
  readonly token: VerifiedToken | undefined;
  /** Every `authorization` header line that arrived: the token that {@link token} was read from, where there is one. */
  readonly authorization: readonly string[];
  /** Every line of another header, by its lower-case name. */
  readonly header: (name: string) => readonly string[];
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** A token for the upstream. */
export interface UpstreamToken {
  /** The header that holds it, in small letters, and that header's whole value. It is a secret. */
  readonly header: string;
  readonly value: string;
  /** For the log: where it is from, and what it is for. */
  readonly from: string;
  readonly audience: string;
  readonly scopes: readonly string[];
  /** Whether it was at hand, or its server was asked while the request waited. */
  readonly obtained: 'cache' | 'server';
  /** Milliseconds since the epoch; undefined where the server did not say. */
  readonly expiresAt: number | undefined;
}

export type BrokerOutcome = UpstreamToken | Refusal<BrokerCode>;

/**
 * Obtains tokens for upstreams. It never throws and never rejects. A token that is at hand comes at once, without a
 * promise.
 */
export interface Broker {
  obtain(request: BrokerRequest): BrokerOutcome | Promise<BrokerOutcome>;
}
