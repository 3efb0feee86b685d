import type { DetailedPeerCertificate } from 'node:tls';
import { isRefusal, refuse, type Refusal } from '../errors/refusal.js';
import { readCertificate, type Certificate } from './certificate.js';
import type { ShownCertificate } from './certificate-verifier.js';

/**
 * What a TLS peer showed, in DER, the leaf first, as far as each certificate is followed by its issuer.
 *
 * @param peer what `getPeerCertificate(true)` gives
 */
export function shownChain(peer: DetailedPeerCertificate): Buffer[] {
  const chain: Buffer[] = [];
  const seen = new Set<DetailedPeerCertificate>();
  let next: DetailedPeerCertificate | undefined = peer;
  // A root is its own issuer; without a certificate the object is empty.
  while (next?.raw !== undefined && !seen.has(next)) {
    seen.add(next);
    chain.push(next.raw);
    next = next.issuerCertificate;
  }
  return chain;
}

/** Reads it. Nothing says yet that anyone vouches for it. */
export function readShownChain(
  chain: readonly Buffer[],
): ShownCertificate | Refusal<'certificate_missing' | 'certificate_malformed'> {
  const certificates: Certificate[] = [];
  for (const der of chain) {
    const certificate = readCertificate(der);
    if (isRefusal(certificate)) return certificate;
    certificates.push(certificate);
  }
  const [leaf, ...intermediates] = certificates;
  return leaf === undefined
    ? refuse('certificate_missing', 'the peer showed no certificate')
    : { leaf, intermediates };
}
