import { isRefusal, refuse, type Refusal } from '../errors/refusal.js';
import {
  createVerifiedCache,
  principalFault,
  verifyCertificate,
  verifyEnvoyPeer,
  type VerifiedWorkload,
  type VerifyOptions,
} from './certificate-verifier.js';
import { readForwardedCertificates } from './forwarded-certificate.js';
import type { TrustBundles } from './trust-bundle.js';
import type { IdentityCode, IdentityVerifier, PeerEvidence, WorkloadIdentity } from './types.js';
import type { XfccFormat } from './xfcc.js';

/** Whose word counts in `x-forwarded-client-cert`. */
export interface XfccOptions {
  /** How many trusted proxies append an element; the client's is so many from the end. At least 1. */
  readonly trustedHops: number;
  readonly format: XfccFormat;
  /** SPIFFE IDs of these proxies. */
  readonly from: ReadonlySet<string>;
  /** Whether the header is believed of a peer that showed Envoy no certificate at all. */
  readonly fromUnauthenticated: boolean;
}

interface Context extends XfccOptions, Omit<VerifyOptions, 'bundles' | 'now' | 'source'> {
  readonly bundles: () => TrustBundles;
  readonly cacheSize: number;
}

/**
 * The stage for a mesh in which a proxy ahead of Envoy ends the client's mTLS. Three things are held against each
 * other, and all of them are verified against the trust bundles: Envoy's own peer has to be a proxy that is named;
 * so has every proxy whose element stands after the client's; and the client is whose certificate stands in the
 * element that the farthest trusted proxy wrote.
 */
export function createXfccVerifier(context: Context): IdentityVerifier {
  const { template, cacheSize, from } = context;
  const peers = createVerifiedCache<IdentityCode>(cacheSize);
  const clients = createVerifiedCache<IdentityCode>(cacheSize);

  /** The proxy that sent the request; undefined for one that showed no certificate and need not. */
  function nearest(
    { certificate, principal }: PeerEvidence,
    bundles: TrustBundles,
    now: number,
  ): WorkloadIdentity | undefined | Refusal<'xfcc_hop_untrusted'> {
    if (certificate === '') {
      return context.fromUnauthenticated ? undefined : untrusted('Envoy saw no certificate of who sent it');
    }
    const peer = peers(certificate, bundles, now, () =>
      verifyEnvoyPeer(certificate, { bundles, template, source: 'certificate', now }),
    );
    if (isRefusal(peer)) return untrusted(`who sent it is not known: ${peer.detail}`);
    const { identity } = peer;
    const fault = principalFault(identity, principal);
    if (fault !== undefined) return untrusted(fault.detail);
    return from.has(identity.spiffeId) ? identity : untrusted(`${identity.spiffeId} sent it`);
  }

  function verifyAnew(
    lines: readonly string[],
    bundles: TrustBundles,
    now: number,
  ): VerifiedWorkload | Refusal<IdentityCode> {
    const certificates = readForwardedCertificates(lines, context);
    if (isRefusal(certificates)) return certificates;
    const options: VerifyOptions = { bundles, template, source: 'xfcc', now };
    let { notBefore, notAfter } = ALWAYS;
    for (const shown of certificates.hops) {
      const hop = verifyCertificate(shown, options);
      if (isRefusal(hop)) return untrusted(`a proxy that it names is not known: ${hop.detail}`);
      if (!from.has(hop.identity.spiffeId)) return untrusted(`it went through ${hop.identity.spiffeId}`);
      notBefore = Math.max(notBefore, hop.notBefore);
      notAfter = Math.min(notAfter, hop.notAfter);
    }
    const client = verifyCertificate(certificates.client, options);
    if (isRefusal(client)) return client;
    return {
      identity: client.identity,
      notBefore: Math.max(notBefore, client.notBefore),
      notAfter: Math.min(notAfter, client.notAfter),
    };
  }

  return {
    verify(evidence, now) {
      const bundles = context.bundles();
      const lines = evidence.forwardedClientCert;
      if (lines.length === 0) return refuse('xfcc_missing', 'the request has no x-forwarded-client-cert');
      const hop = nearest(evidence, bundles, now);
      if (isRefusal(hop)) return hop;
      // The lines whole, since every part of them is compared with the certificates.
      const text = lines.length === 1 ? lines[0]! : lines.join('\n');
      const client = clients(text, bundles, now, () => verifyAnew(lines, bundles, now));
      if (isRefusal(client)) return client;
      return client.identity.fingerprint === hop?.fingerprint ? OWN_ELEMENT : client.identity;
    },
  };
}

/** With SANITIZE_SET or APPEND_FORWARD the Envoy that asks appends an element too, which is that of the proxy. */
const OWN_ELEMENT = untrusted(
  'the element that is taken for the client is that of the proxy itself; does Envoy append one that trusted_hops does not count?',
);

const ALWAYS = { notBefore: -Infinity, notAfter: Infinity };

function untrusted(why: string): Refusal<'xfcc_hop_untrusted'> {
  return refuse('xfcc_hop_untrusted', `x-forwarded-client-cert is not believed: ${why}`);
}
