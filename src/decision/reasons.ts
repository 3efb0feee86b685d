import type { BrokerCode } from '../broker/types.js';
import type { IdentityCode } from '../identity/types.js';
import type { PolicyCode } from '../policy/types.js';
import type { RevocationCode } from '../revocation/types.js';
import type { TransactionCode } from '../token/transaction.js';
import type { TokenCode } from '../token/types.js';
import type { RequestCode } from './facts.js';
import type { UserTokenCode } from './user-token.js';

/** Reasons that only the pipeline itself can give. */
export type PipelineCode =
  | 'allowed'
  | 'policy_denied'
  | 'insufficient_scope'
  | 'insufficient_user_authentication'
  | 'route_misconfigured'
  | 'deadline_exceeded'
  | 'internal_error';

/** The closed list: every decision carries exactly one of these. */
export type ReasonCode =
  | PipelineCode
  | RequestCode
  | IdentityCode
  | TokenCode
  | TransactionCode
  | UserTokenCode
  | RevocationCode
  | PolicyCode
  | BrokerCode;

/** google.rpc.Code values that a decision can carry in `CheckResponse.status.code`. */
export const GRPC = {
  OK: 0,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  PERMISSION_DENIED: 7,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const;

export type GrpcStatus = (typeof GRPC)[keyof typeof GRPC];

/**
 * What the body calls the error. The first three are RFC 6750 section 3.1's, the next two RFC 9449 section 7.1's, then RFC 9470
 * section 3's, and `unauthorized` is a request without credentials, whose challenge carries no error code: these come with a challenge.
 */
export type AnswerError =
  | 'invalid_request'
  | 'invalid_token'
  | 'insufficient_scope'
  | 'invalid_dpop_proof'
  | 'use_dpop_nonce'
  | 'insufficient_user_authentication'
  | 'unauthorized'
  | 'temporarily_unavailable'
  | 'access_denied';

export interface Reason {
  readonly grpc: GrpcStatus;
  /** Status of the denial; 200 stands for "allowed" and is never sent. */
  readonly http: number;
  readonly error: AnswerError;
}

const allowed: Reason = { grpc: GRPC.OK, http: 200, error: 'access_denied' };
const request: Reason = { grpc: GRPC.INVALID_ARGUMENT, http: 403, error: 'access_denied' };
const identity: Reason = { grpc: GRPC.UNAUTHENTICATED, http: 403, error: 'access_denied' };
/** draft-ietf-wimse-wpt answers what is wrong with a token of its own with 400. */
const wimse: Reason = { grpc: GRPC.UNAUTHENTICATED, http: 400, error: 'access_denied' };
const token: Reason = { grpc: GRPC.UNAUTHENTICATED, http: 401, error: 'invalid_token' };
/**
 * The token may well be good: a 401 would make every client throw it away and ask the issuer, which is the very party
 * that does not answer, for another.
 */
const unavailable: Reason = { grpc: GRPC.UNAVAILABLE, http: 503, error: 'temporarily_unavailable' };
const proof: Reason = { ...token, error: 'invalid_dpop_proof' };
const transaction: Reason = { grpc: GRPC.PERMISSION_DENIED, http: 403, error: 'access_denied' };
const policy: Reason = { grpc: GRPC.PERMISSION_DENIED, http: 403, error: 'access_denied' };
const engine: Reason = { grpc: GRPC.INTERNAL, http: 403, error: 'access_denied' };

/** The one table from reason to status. Pages: docs/reasons.md. */
export const REASONS: { readonly [code in ReasonCode]: Reason } = {
  allowed,

  request_malformed: request,
  path_refused: request,
  route_misconfigured: engine,
  deadline_exceeded: { ...engine, grpc: GRPC.DEADLINE_EXCEEDED },
  internal_error: engine,

  certificate_missing: identity,
  certificate_malformed: identity,
  certificate_untrusted: identity,
  certificate_expired: identity,
  certificate_not_yet_valid: identity,
  certificate_usage_invalid: identity,
  spiffe_id_missing: identity,
  spiffe_id_ambiguous: identity,
  spiffe_id_invalid: identity,
  principal_mismatch: identity,
  trust_domain_unknown: identity,
  trust_bundle_unavailable: identity,
  xfcc_missing: identity,
  xfcc_malformed: identity,
  xfcc_mismatch: identity,
  xfcc_hop_untrusted: identity,
  jwt_svid_missing: identity,
  jwt_svid_invalid: identity,
  jwt_svid_untrusted: identity,
  jwt_svid_audience_mismatch: identity,
  jwt_svid_expired: identity,
  wit_missing: wimse,
  wit_invalid: wimse,
  wit_untrusted: wimse,
  wit_expired: wimse,
  wpt_missing: wimse,
  wpt_invalid: wimse,
  wpt_replayed: wimse,
  wpt_replay_unavailable: { grpc: GRPC.UNAVAILABLE, http: 503, error: 'temporarily_unavailable' },

  identity_revoked: identity,
  // Who is revoked is not known just now: that says nothing against this workload or its token.
  revocation_unavailable: { grpc: GRPC.UNAVAILABLE, http: 503, error: 'temporarily_unavailable' },

  token_missing: { ...token, error: 'unauthorized' },
  token_duplicate: { ...token, http: 400, error: 'invalid_request' },
  token_too_large: token,
  token_malformed: token,
  token_header_invalid: token,
  token_algorithm_refused: token,
  token_type_refused: token,
  token_issuer_unknown: token,
  token_key_unknown: token,
  token_keys_unavailable: unavailable,
  token_signature_invalid: token,
  token_claims_invalid: token,
  token_audience_mismatch: token,
  token_expired: token,
  token_not_yet_valid: token,
  token_lifetime_exceeded: token,
  token_binding_mismatch: token,
  token_binding_unsupported: token,
  token_revoked: token,
  token_presenter_refused: token,
  token_inactive: token,
  token_introspection_unavailable: unavailable,
  token_binding_required: token,
  token_delegation_too_deep: token,

  // The proof of a token that is bound to a key. Without any, it is the token that is no good.
  dpop_proof_missing: token,
  dpop_proof_duplicate: proof,
  dpop_proof_invalid: proof,
  dpop_proof_mismatch: proof,
  dpop_proof_expired: proof,
  dpop_proof_replayed: proof,
  dpop_nonce_required: { ...token, error: 'use_dpop_nonce' },
  dpop_unavailable: unavailable,

  // No challenge: what is missing is none of the client's credentials.
  transaction_token_missing: transaction,
  transaction_token_duplicate: transaction,
  transaction_token_invalid: transaction,
  transaction_token_expired: transaction,
  transaction_token_unavailable: unavailable,

  user_token_missing: { ...token, error: 'unauthorized' },
  user_token_refused: token,
  user_token_unavailable: unavailable,

  insufficient_scope: { ...policy, error: 'insufficient_scope' },
  insufficient_user_authentication: {
    grpc: GRPC.UNAUTHENTICATED,
    http: 401,
    error: 'insufficient_user_authentication',
  },
  policy_denied: policy,
  policy_undefined: policy,
  policy_error: engine,
  policy_result_invalid: engine,
  policy_unavailable: engine,

  // The policy let the request through, and what it wanted for the upstream is not to be had.
  upstream_token_not_allowed: engine,
  upstream_token_subject_missing: policy,
  upstream_token_refused: policy,
  upstream_token_unavailable: unavailable,
};

/** Every code, in the order of the way of a request. */
export const REASON_CODES = Object.keys(REASONS) as readonly ReasonCode[];
