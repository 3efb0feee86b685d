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

/** Every reason for which this stage does not vouch for a workload. */
export type IdentityCode =
  CertificateCode | 'xfcc_missing' | 'xfcc_malformed' | 'xfcc_mismatch' | 'xfcc_hop_untrusted';

/** What Envoy says of the peer, none of it believed yet. */
export interface PeerEvidence {
  /** `source.certificate`: the leaf, URL-encoded PEM; empty when Envoy sent none. */
  readonly certificate: string;
  /** `source.principal`: first URI SAN, else first DNS SAN, else Subject; empty when absent. */
  readonly principal: string;
  /** Every `x-forwarded-client-cert` header line that arrived, in order; empty when none did. */
  readonly forwardedClientCert: readonly string[];
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

/** A workload whose X.509-SVID was verified. */
export interface WorkloadIdentity extends Workload {
  /** Where its certificate came from: Envoy's own handshake, or a trusted proxy's word. */
  readonly source: 'certificate' | 'xfcc';
  /** Milliseconds since the epoch: the earliest notAfter of the leaf and of the chain that was used. */
  readonly notAfter: number;
  /** SHA-256 of the leaf's DER, lower-case hex (as XFCC writes it in `Hash`). */
  readonly fingerprint: string;
  /** The same digest as `cnf.x5t#S256` writes it: base64url without padding (RFC 8705 section 3.1). */
  readonly thumbprint: string;
}

/** The stage itself. It never throws; `now` is milliseconds since the epoch. */
export interface IdentityVerifier {
  verify(evidence: PeerEvidence, now: number): WorkloadIdentity | Refusal<IdentityCode>;
}
