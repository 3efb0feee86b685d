import { LRUCache } from 'lru-cache';
import { isRefusal, refuse, type Refusal } from '../errors/refusal.js';
import { readEnvoyCertificate, sha256 } from './certificate.js';
import { verifyChain, type ChainValidity } from './chain.js';
import {
  readForwardedCertificate,
  type ForwardedCertificate,
  type ForwardedCode,
} from './forwarded-certificate.js';
import { compilePathTemplate, DEFAULT_PATH_TEMPLATE, type PathTemplate } from './path-template.js';
import { readSvid } from './svid.js';
import type { TrustBundles, TrustBundleSource } from './trust-bundle.js';
import type { IdentityCode, IdentityVerifier, PeerEvidence, WorkloadIdentity } from './types.js';
import { describeWorkload } from './workload.js';

export interface IdentityVerifierOptions {
  /**
   * `certificate`: the peer certificate that Envoy itself saw; x-forwarded-client-cert is ignored.
   * `xfcc`: what a trusted hop in front of Envoy wrote there; Envoy's own peer is that hop, and is ignored.
   */
  readonly source: 'certificate' | 'xfcc';
  readonly bundles: TrustBundleSource;
  /** What a workload's path says of it. Default {@link DEFAULT_PATH_TEMPLATE}. */
  readonly template?: PathTemplate;
  /** How many verified certificates are remembered. Default 10,000. */
  readonly cacheSize?: number;
}

interface Verified extends ChainValidity {
  readonly identity: WorkloadIdentity;
  /** What it was verified against: a hit counts for these very bundles only. */
  readonly bundles: TrustBundles;
}

/** Memory for remembered evidence, whatever its size: a certificate in PEM has about 1,000 characters. */
const CHARACTERS_PER_ENTRY = 4096;

/**
 * The identity stage. A verified certificate is remembered under the very text that brought it, so a warm
 * answer costs one look-up; refusals are not remembered. Time is compared at every request, with the dates
 * of the whole chain.
 */
export function createIdentityVerifier(options: IdentityVerifierOptions): IdentityVerifier {
  const { source, bundles, cacheSize = 10_000 } = options;
  const template = options.template ?? compilePathTemplate(DEFAULT_PATH_TEMPLATE);
  const cache = new LRUCache<string, Verified>({
    max: cacheSize,
    maxSize: cacheSize * CHARACTERS_PER_ENTRY,
    sizeCalculation: (_, evidence) => evidence.length,
  });

  function identify(evidence: PeerEvidence, now: number): WorkloadIdentity | Refusal<IdentityCode> {
    const current = bundles.current();
    // Of x-forwarded-client-cert the whole line, since every part of it is compared with the certificate.
    const text =
      source === 'certificate' ? evidence.certificate : (evidence.forwardedClientCert.at(-1) ?? '');
    const known = cache.get(text);
    if (known?.bundles === current && known.notBefore <= now && now <= known.notAfter) return known.identity;
    const verified = verifyAnew(readEvidence(source, evidence), current, template, now);
    if (isRefusal(verified)) return verified;
    cache.set(text, verified);
    return verified.identity;
  }

  if (source === 'xfcc') return { verify: identify };
  return {
    verify(evidence, now) {
      const identity = identify(evidence, now);
      if (isRefusal(identity) || identity.spiffeId === evidence.principal) return identity;
      return refuse('principal_mismatch', "Envoy's principal is not the certificate's SPIFFE ID");
    },
  };
}

function readEvidence(
  source: IdentityVerifierOptions['source'],
  { certificate, forwardedClientCert }: PeerEvidence,
): ForwardedCertificate | Refusal<ForwardedCode> {
  if (source === 'xfcc') return readForwardedCertificate(forwardedClientCert);
  const leaf = readEnvoyCertificate(certificate);
  return isRefusal(leaf) ? leaf : { leaf, intermediates: [] };
}

function verifyAnew(
  evidence: ForwardedCertificate | Refusal<ForwardedCode>,
  bundles: TrustBundles,
  template: PathTemplate,
  now: number,
): Verified | Refusal<IdentityCode> {
  if (isRefusal(evidence)) return evidence;
  const { leaf, intermediates } = evidence;
  const id = readSvid(leaf.fields);
  if (isRefusal(id)) return id;
  const bundle = bundles.get(id.trustDomain);
  if (bundle === undefined) {
    return refuse('trust_domain_unknown', `there is no trust bundle for ${id.trustDomain}`);
  }
  const chain = verifyChain(leaf, intermediates, bundle, now);
  if (isRefusal(chain)) return chain;
  const digest = sha256(leaf);
  const identity = {
    ...describeWorkload(id, template),
    notAfter: chain.notAfter,
    fingerprint: digest.hex,
    thumbprint: digest.base64url,
  };
  return { identity, bundles, ...chain };
}
