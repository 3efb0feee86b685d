import type { Config } from '../../config/schema.js';
import { compilePathTemplate } from '../../identity/path-template.js';
import type { IdentityVerifier, Workload } from '../../identity/types.js';
import { createIdentityVerifier, type IdentitySource } from '../../identity/verifier.js';
import { createDestinationReader } from '../../identity/workload.js';
import { Failure } from '../failure.js';
import { startBundles, type BundlesPart } from './bundles.js';
import type { PartOptions } from './part.js';

export interface IdentityPart extends Omit<BundlesPart, 'store'> {
  readonly verifier: IdentityVerifier;
  /** What `destination.principal` says of the workload that is called. */
  readonly destination: (principal: string) => Workload | undefined;
}

/**
 * Trust bundles and the stage that leans on them.
 *
 * @throws Failure for a bundle that the operator has to mend
 */
export async function startIdentity(config: Config, options: PartOptions): Promise<IdentityPart> {
  const { store, ...bundles } = await startBundles(config, options);
  const template = compilePathTemplate(config.identity.kubernetes.path_template);
  return {
    ...bundles,
    verifier: createIdentityVerifier({ ...sourceOf(config.identity), bundles: store, template }),
    destination: createDestinationReader(template),
  };
}

function sourceOf({ source, xfcc }: Config['identity']): IdentitySource {
  if (source === 'certificate') return { source };
  // The schema holds source and section together.
  if (xfcc === undefined) throw new Failure('identity.xfcc: is missing');
  const from = new Set(xfcc.from);
  const fromUnauthenticated = from.delete('unauthenticated');
  return {
    source,
    xfcc: { trustedHops: xfcc.trusted_hops, format: xfcc.format, from, fromUnauthenticated },
  };
}
