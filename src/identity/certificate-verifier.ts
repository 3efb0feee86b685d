import { LRUCache } from 'lru-cache';
import { isRefusal, refuse, type Refusal } from '../errors/refusal.js';
import { readEnvoyCertificate, sha256, type Certificate } from './certificate.js';
import { verifyChain, type ChainValidity } from './chain.js';
import type { PathTemplate } from './path-template.js';
import { readSvid } from './svid.js';
import type { TrustBundles } from './trust-bundle.js';
import type { CertificateCode, WorkloadIdentity } from './types.js';
import { describeWorkload } from './workload.js';

/** A leaf, and what may lead from it to an authority. */
export interface ShownCertificate {
  readonly leaf: Certificate;
  readonly intermediates: readonly Certificate[];
}

/** A workload and how long what proves it is valid: the whole chain, and whatever else was leant on. */
export interface VerifiedWorkload extends ChainValidity {
  readonly identity: WorkloadIdentity;
}

/** Why a certificate is no X.509-SVID that its own trust domain vouches for. */
export type SvidRefusal = Exclude<
  CertificateCode,
  'certificate_missing' | 'certificate_malformed' | 'principal_mismatch'
>;

/** Verifies one X.509-SVID against the bundle of its own trust domain. Nothing is remembered. */
export function verifyCertificate(
  { leaf, intermediates }: ShownCertificate,
  { bundles, template, source, now }: VerifyOptions,
): VerifiedWorkload | Refusal<SvidRefusal> {
  const id = readSvid(leaf.fields);
  if (isRefusal(id)) return id;
  const bundle = bundles.find(id.trustDomain);
  if (isRefusal(bundle)) return bundle;
  const chain = verifyChain(leaf, intermediates, bundle, now);
  if (isRefusal(chain)) return chain;
  const digest = sha256(leaf);
  const identity: WorkloadIdentity = {
    ...describeWorkload(id, template),
    source,
    notAfter: chain.notAfter,
    fingerprint: digest.hex,
    thumbprint: digest.base64url,
  };
  return { identity, ...chain };
}

export interface VerifyOptions {
  readonly bundles: TrustBundles;
  readonly template: PathTemplate;
  readonly source: WorkloadIdentity['source'];
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** The certificate that Envoy's own peer showed, with the principal that Envoy read from it. */
export function verifyEnvoyPeer(
  certificate: string,
  options: VerifyOptions,
): VerifiedWorkload | Refusal<CertificateCode> {
  const leaf = readEnvoyCertificate(certificate);
  return isRefusal(leaf) ? leaf : verifyCertificate({ leaf, intermediates: [] }, options);
}

/** Whether Envoy's word for the peer is what the certificate says (X509-SVID section 2). */
export function principalFault(
  { spiffeId }: WorkloadIdentity,
  principal: string,
): Refusal<'principal_mismatch'> | undefined {
  if (spiffeId === principal) return undefined;
  return refuse('principal_mismatch', "Envoy's principal is not the certificate's SPIFFE ID");
}

/** Memory for remembered evidence, whatever its size: a certificate in PEM has about 1,000 characters. */
const CHARACTERS_PER_ENTRY = 4096;

/** Characters of evidence that is remembered: callers can pad some of it, and must not push others out. */
const LONGEST = 16_384;

/**
 * What was verified, under the very text that brought it, so that a warm answer costs one look-up. An entry counts
 * for the very bundles that it was verified against, and within the dates of the whole chain. Refusals are not
 * remembered.
 */
export function createVerifiedCache<Code extends string, V extends VerifiedWorkload = VerifiedWorkload>(
  cacheSize: number,
) {
  const cache = new LRUCache<string, { readonly verified: V; readonly bundles: TrustBundles }>({
    max: cacheSize,
    maxSize: cacheSize * CHARACTERS_PER_ENTRY,
    maxEntrySize: LONGEST,
    sizeCalculation: (_, evidence) => evidence.length,
  });
  return (
    evidence: string,
    bundles: TrustBundles,
    now: number,
    verify: () => V | Refusal<Code>,
  ): V | Refusal<Code> => {
    const known = cache.get(evidence);
    if (known?.bundles === bundles && known.verified.notBefore <= now && now <= known.verified.notAfter)
      return known.verified;
    const verified = verify();
    // An empty text proves nothing, and the cache takes none.
    if (!isRefusal(verified)) cache.set(evidence, { verified, bundles });
    return verified;
  };
}
