import type { Refusal } from '../errors/refusal.js';
import type { ExactJson } from '../json/exact.js';

/** Every reason for which this stage does not vouch for a token. */
export type TokenCode =
  | 'token_missing'
  | 'token_duplicate'
  | 'token_too_large'
  | 'token_malformed'
  | 'token_header_invalid'
  | 'token_algorithm_refused'
  | 'token_type_refused'
  | 'token_issuer_unknown'
  | 'token_key_unknown'
  | 'token_keys_unavailable'
  | 'token_signature_invalid'
  | 'token_claims_invalid'
  | 'token_audience_mismatch'
  | 'token_expired'
  | 'token_not_yet_valid'
  | 'token_lifetime_exceeded'
  | 'token_binding_mismatch'
  | 'token_binding_unsupported'
  | 'token_presenter_refused'
  | 'token_inactive'
  | 'token_introspection_unavailable';

/** How the token is tied to its presenter: not at all, or by the certificate's thumbprint (RFC 8705). */
export type TokenBinding = 'none' | 'x5t#S256';

/** A token whose signature and claims were verified. Times are seconds since the epoch (NumericDate). */
export interface VerifiedToken {
  readonly issuer: string;
  readonly subject: string;
  readonly clientId?: string;
  readonly audience: readonly string[];
  /** What the claims mapped to scopes hold (`scope`, `scp`), in the token's order; empty when it has none. */
  readonly scopes: readonly string[];
  /** The same of roles and groups. */
  readonly roles: readonly string[];
  readonly groups: readonly string[];
  /** The outermost `act` claim (RFC 8693 section 4.1), as it stands in the token. */
  readonly actor?: { readonly [name: string]: ExactJson };
  readonly claims: { readonly [name: string]: ExactJson };
  readonly issuedAt?: number;
  readonly expiresAt: number;
  readonly binding: TokenBinding;
}

/** What a request brings to this stage. */
export interface TokenRequest {
  /** The value of every `authorization` header line that arrived, in order; empty when none did. */
  readonly authorization: readonly string[];
  /** `x5t#S256` of the verified peer certificate; absent when there is none. */
  readonly peerThumbprint?: string;
  /** The verified SPIFFE ID of the workload that presents the token; absent when there is none. */
  readonly presenter?: string;
  /** The route's own audience (`countersign.audience`), which the token has to name as well. */
  readonly audience?: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/**
 * The stage itself. It never throws and never rejects. It answers at once, without a promise, for a token
 * that it has seen; a promise means a signature had to be checked, or keys had to be fetched.
 */
export interface TokenVerifier {
  verify(
    request: TokenRequest,
  ): VerifiedToken | Refusal<TokenCode> | Promise<VerifiedToken | Refusal<TokenCode>>;
}
