import type { Refusal } from '../errors/refusal.js';
import type { ExactJson } from '../json/exact.js';
import type { DpopCode } from './dpop.js';
import type { RequestTarget } from './target-uri.js';

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
  | 'token_introspection_unavailable'
  | 'token_binding_required'
  | 'token_delegation_too_deep'
  | DpopCode;

/**
 * How the token is tied to its presenter: not at all, by the certificate's thumbprint (RFC 8705), by a key that a
 * proof shows (RFC 9449), or by the SPIFFE ID that its claims name.
 */
export type TokenBinding = 'none' | 'x5t#S256' | 'dpop' | 'spiffe';

/** What a route, an issuer or the server asks of tokens: nothing, any binding, or one of a kind. */
export type BindingRequirement = 'optional' | 'required' | Exclude<TokenBinding, 'none'>;

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
  /** The whole chain of actors, the outermost first, each without those nested in it; empty when there is none. */
  readonly actors: readonly { readonly [name: string]: ExactJson }[];
  readonly claims: { readonly [name: string]: ExactJson };
  readonly issuedAt?: number;
  readonly expiresAt: number;
  /** The first of {@link bindings}. */
  readonly binding: TokenBinding;
  /** All that tied the token to its presenter, the strongest first, and each of them held. */
  readonly bindings: readonly TokenBinding[];
}

/** A genuine token that its presenter could not show to be his own: it may have been stolen. */
export interface Misuse {
  readonly token: VerifiedToken;
  /** What it was held against: a binding, or the issuer's list of presenters. */
  readonly boundBy: Exclude<TokenBinding, 'none'> | 'presenters';
  /** Thumbprint of the certificate or the key, the SPIFFE IDs with spaces between, or the issuer. */
  readonly boundTo: string;
}

export interface TokenRefusal extends Refusal<TokenCode> {
  readonly misuse?: Misuse;
}

/** What a request brings to this stage. */
export interface TokenRequest {
  /** The value of every `authorization` header line that arrived, in order; empty when none did. */
  readonly authorization: readonly string[];
  /** `x5t#S256` of the verified peer certificate; absent when there is none. */
  readonly peerThumbprint?: string;
  /** The verified SPIFFE ID of the workload that presents the token; absent when there is none. */
  readonly presenter?: string;
  /** Every line of another header, by its lower-case name, in order; empty when none arrived. */
  readonly header?: (name: string) => readonly string[];
  /** Where the request went. */
  readonly http?: RequestTarget;
  /** What the route asks of the binding, over what issuer and server do. */
  readonly binding?: BindingRequirement;
  /** The route's own audience (`countersign.audience`), which the token has to name as well. */
  readonly audience?: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/**
 * The stage itself. It never throws and never rejects. It answers at once, without a promise, for a token
 * that it has seen; a promise means that keys had to be fetched, or that others were asked about a proof.
 */
export interface TokenVerifier {
  verify(request: TokenRequest): VerifiedToken | TokenRefusal | Promise<VerifiedToken | TokenRefusal>;
}
