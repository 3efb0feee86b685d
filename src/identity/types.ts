import type { Refusal } from '../errors/refusal.js';
import type { KubernetesNames } from './path-template.js';

/** Why a certificate that was shown to Envoy does not identify a workload. */
export type CertificateCode =
  | 'certificate_missing'
  | 'certificate_malformed'
  | 'certificate_untrusted'
  | 'certificate_expired'
  | 'certificate_not_yet_valid'
  | 'certificate_usage_invalid'
  | 'spiffe_id_missing'
  | 'spiffe_id_ambiguous'
  | 'spiffe_id_invalid'
  | 'principal_mismatch'
  | 'trust_domain_unknown'
  | 'trust_bundle_unavailable';

export type XfccCode = 'xfcc_missing' | 'xfcc_malformed' | 'xfcc_mismatch' | 'xfcc_hop_untrusted';

/** What is wrong with the ID or with its trust domain, whatever it came in. */
type SpiffeCode = 'spiffe_id_invalid' | 'trust_domain_unknown' | 'trust_bundle_unavailable';

/** Why a JWT-SVID does not identify a workload. */
export type JwtSvidCode =
  | SpiffeCode
  | 'jwt_svid_missing'
  | 'jwt_svid_invalid'
  | 'jwt_svid_untrusted'
  | 'jwt_svid_audience_mismatch'
  | 'jwt_svid_expired';

/** Why a Workload-Identity-Token with its proof does not. */
export type WimseCode =
  | SpiffeCode
  | 'wit_missing'
  | 'wit_invalid'
  | 'wit_untrusted'
  | 'wit_expired'
  | 'wpt_missing'
  | 'wpt_invalid'
  | 'wpt_replayed'
  | 'wpt_replay_unavailable';

/** Every reason for which this stage does not vouch for a workload. */
export type IdentityCode = CertificateCode | XfccCode | JwtSvidCode | WimseCode;

/** What Envoy says of the peer, none of it believed yet. */
export interface PeerEvidence {
  /** `source.certificate`: the leaf, URL-encoded PEM; empty when Envoy sent none. */
  readonly certificate: string;
  /** `source.principal`: first URI SAN, else first DNS SAN, else Subject; empty when absent. */
  readonly principal: string;
  /** Every `x-forwarded-client-cert` header line that arrived, in order; empty when none did. */
  readonly forwardedClientCert: readonly string[];
  /** Every line of a header, by its lower-case name, in order; empty when none arrived. */
  header(name: string): readonly string[];
  /** The request's path as the client wrote it, without the query; empty for a TCP connection. */
  readonly path: string;
}

/** A workload by its SPIFFE ID. */
export interface Workload {
  /** `spiffe://trust-domain/path` */
  readonly spiffeId: string;
  readonly trustDomain: string;
  /** With its leading slash. */
  readonly path: string;
  /** What the path says by the configured template; absent where it has another form. */
  readonly kubernetes?: KubernetesNames;
}

/** A workload whose SVID was verified. */
export interface WorkloadIdentity extends Workload {
  /**
   * What it was known by: a certificate that Envoy itself saw or a trusted proxy, a JWT-SVID, or a
   * Workload-Identity-Token whose key it proved to hold.
   */
  readonly source: 'certificate' | 'xfcc' | 'jwt_svid' | 'wimse';
  /** Milliseconds since the epoch: the earliest notAfter of the leaf and of the chain that was used, or `exp`. */
  readonly notAfter: number;
  /** SHA-256 of the leaf's DER, lower-case hex (as XFCC writes it in `Hash`). Absent without a certificate. */
  readonly fingerprint?: string;
  /** The same digest as `cnf.x5t#S256` writes it: base64url without padding (RFC 8705 section 3.1). */
  readonly thumbprint?: string;
}

/**
 * The stage itself. It never throws and never rejects; `now` is milliseconds since the epoch. A promise is given only
 * where a proof that may be used once has to be asked for in another process.
 */
export interface IdentityVerifier {
  verify(evidence: PeerEvidence, now: number): IdentityOutcome | Promise<IdentityOutcome>;
}

export type IdentityOutcome = WorkloadIdentity | Refusal<IdentityCode>;
