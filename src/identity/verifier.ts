import { isRefusal } from '../errors/refusal.js';
import { createVerifiedCache, principalFault, verifyEnvoyPeer } from './certificate-verifier.js';
import { compilePathTemplate, DEFAULT_PATH_TEMPLATE, type PathTemplate } from './path-template.js';
import type { TrustBundleSource } from './trust-bundle.js';
import type { CertificateCode, IdentityVerifier } from './types.js';
import { createXfccVerifier, type XfccOptions } from './xfcc-hops.js';

/**
 * Where the workload's identity is read.
 *
 * - `certificate`: the peer certificate that Envoy itself saw; x-forwarded-client-cert is ignored
 * - `xfcc`: what a trusted hop in front of Envoy wrote there; Envoy's own peer is that hop
 */
export type IdentitySource =
  { readonly source: 'certificate' } | { readonly source: 'xfcc'; readonly xfcc: XfccOptions };

export type IdentityVerifierOptions = IdentitySource & {
  readonly bundles: TrustBundleSource;
  /** What a workload's path says of it. Default {@link DEFAULT_PATH_TEMPLATE}. */
  readonly template?: PathTemplate;
  /** How many verified certificates are remembered. Default 10,000. */
  readonly cacheSize?: number;
};

/** The identity stage, by the source that was chosen. */
export function createIdentityVerifier(options: IdentityVerifierOptions): IdentityVerifier {
  const { template = compilePathTemplate(DEFAULT_PATH_TEMPLATE), cacheSize = 10_000 } = options;
  const bundles = () => options.bundles.current();
  if (options.source === 'xfcc') return createXfccVerifier({ ...options.xfcc, bundles, template, cacheSize });

  const verified = createVerifiedCache<CertificateCode>(cacheSize);
  return {
    verify({ certificate, principal }, now) {
      const current = bundles();
      const identity = verified(certificate, current, now, () =>
        verifyEnvoyPeer(certificate, { bundles: current, template, source: 'certificate', now }),
      );
      return isRefusal(identity) ? identity : (principalFault(identity, principal) ?? identity);
    },
  };
}
