import { isRefusal } from '../errors/refusal.js';
import { createVerifiedCache, principalFault, verifyEnvoyPeer } from './certificate-verifier.js';
import { compilePathTemplate, DEFAULT_PATH_TEMPLATE, type PathTemplate } from './path-template.js';
import { createJwtSvidVerifier, type JwtSvidOptions } from './jwt-svid.js';
import type { TrustBundleSource } from './trust-bundle.js';
import type { CertificateCode, IdentityVerifier } from './types.js';
import { createWimseVerifier, type WimseOptions } from './wimse.js';
import { createXfccVerifier, type XfccOptions } from './xfcc-hops.js';

/**
 * Where the workload's identity is read.
 *
 * - `certificate`: the peer certificate that Envoy itself saw; x-forwarded-client-cert is ignored
 * - `xfcc`: what a trusted hop in front of Envoy wrote there; Envoy's own peer is that hop
 * - `jwt_svid`, `wimse`: a token in a header; Envoy's own peer, if it has one, says nothing
 */
export type IdentitySource =
  | { readonly source: 'certificate' }
  | { readonly source: 'xfcc'; readonly xfcc: XfccOptions }
  | { readonly source: 'jwt_svid'; readonly jwtSvid: JwtSvidOptions }
  | { readonly source: 'wimse'; readonly wimse: WimseOptions };

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

  if (options.source === 'jwt_svid')
    return createJwtSvidVerifier({ ...options.jwtSvid, bundles, template, cacheSize });
  if (options.source === 'wimse')
    return createWimseVerifier({ ...options.wimse, bundles, template, cacheSize });

  const verified = createVerifiedCache<CertificateCode>(cacheSize);
  return {
    verify({ certificate, principal }, now) {
      const current = bundles();
      const workload = verified(certificate, current, now, () =>
        verifyEnvoyPeer(certificate, { bundles: current, template, source: 'certificate', now }),
      );
      if (isRefusal(workload)) return workload;
      return principalFault(workload.identity, principal) ?? workload.identity;
    },
  };
}
