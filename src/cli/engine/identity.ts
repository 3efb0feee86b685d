import type { Config } from '../../config/schema.js';
import { compilePathTemplate } from '../../identity/path-template.js';
import type { TrustBundleSource } from '../../identity/trust-bundle.js';
import type { IdentityVerifier, Workload } from '../../identity/types.js';
import { createIdentityVerifier, type IdentitySource } from '../../identity/verifier.js';
import { createDestinationReader } from '../../identity/workload.js';
import { Failure } from '../failure.js';
import { startBundles, type BundlesPart } from './bundles.js';
import type { ProvenOptions } from './part.js';

export interface IdentityPart extends Omit<BundlesPart, 'store'> {
  /** The trust bundles in force. */
  readonly bundles: TrustBundleSource;
  readonly verifier: IdentityVerifier;
  /** What `destination.principal` says of the workload that is called. */
  readonly destination: (principal: string) => Workload | undefined;
}

/**
 * Trust bundles and the stage that leans on them.
 *
 * @throws Failure for a bundle that the operator has to mend
 */
export async function startIdentity(config: Config, options: ProvenOptions): Promise<IdentityPart> {
  const { store, ...bundles } = await startBundles(config, options);
  const template = compilePathTemplate(config.identity.kubernetes.path_template);
  return {
    ...bundles,
    bundles: store,
    verifier: createIdentityVerifier({ ...sourceOf(config, options), bundles: store, template }),
    destination: createDestinationReader(template),
  };
}

function sourceOf({ identity }: Config, { replay }: ProvenOptions): IdentitySource {
  const { source, xfcc, jwt_svid: jwtSvid, wimse } = identity;
  switch (source) {
    case 'certificate':
      return { source };
    case 'xfcc': {
      const { trusted_hops: trustedHops, format, from: named } = given(xfcc);
      const from = new Set(named);
      const fromUnauthenticated = from.delete('unauthenticated');
      return { source, xfcc: { trustedHops, format, from, fromUnauthenticated } };
    }
    case 'jwt_svid':
      return { source, jwtSvid: given(jwtSvid) };
    case 'wimse': {
      const { audiences, max_proof_lifetime: maxLifetime } = given(wimse);
      return { source, wimse: { audiences, maxLifetime, replay } };
    }
  }
}

/** The schema holds source and section together. */
function given<Section>(section: Section | undefined): Section {
  if (section === undefined) throw new Failure('identity: the section of its source is missing');
  return section;
}
