import { readFile } from 'node:fs/promises';
import type { Config } from '../../config/schema.js';
import type { Hub } from '../../feed/feed.js';
import { createBundleFiles, type BundleStatus } from '../../identity/bundle-files.js';
import { compilePathTemplate } from '../../identity/path-template.js';
import type { IdentityVerifier, Workload } from '../../identity/types.js';
import { createIdentityVerifier, type IdentitySource } from '../../identity/verifier.js';
import { createDestinationReader } from '../../identity/workload.js';
import type { Log } from '../../telemetry/log.js';
import { Failure } from '../failure.js';
import { standing, type EnginePart } from './part.js';

/** Milliseconds between two looks at the trust bundles' files. */
const BUNDLE_POLL = 5_000;

export interface IdentityPart extends EnginePart {
  readonly verifier: IdentityVerifier;
  /** What `destination.principal` says of the workload that is called. */
  readonly destination: (principal: string) => Workload | undefined;
  status(): readonly BundleStatus[];
}

export interface PartOptions {
  readonly hub: Hub;
  readonly log: Log;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/**
 * Trust bundles and the stage that leans on them.
 *
 * @throws Failure for a bundle that the operator has to mend
 */
export async function startIdentity(config: Config, { log, now }: PartOptions): Promise<IdentityPart> {
  const bundles = createBundleFiles({
    files: new Map(Object.entries(config.identity.trust_domains).map(([name, { bundle }]) => [name, bundle])),
    readFile: (path) => readFile(path, 'utf8'),
    now,
  });
  await bundles.refresh();
  const broken = bundles
    .status()
    .flatMap(({ trustDomain, error }) => (error ? `${trustDomain}: ${error}` : []));
  if (broken.length > 0) throw new Failure(`identity.trust_domains: ${broken.join('\n')}`);

  const poll = setInterval(() => {
    void bundles.refresh().then((changed) => {
      if (changed) log.info({ revision: bundles.current().revision }, 'trust bundles changed');
    });
  }, BUNDLE_POLL);
  poll.unref();

  const template = compilePathTemplate(config.identity.kubernetes.path_template);
  return {
    verifier: createIdentityVerifier({ ...sourceOf(config.identity), bundles, template }),
    destination: createDestinationReader(template),
    status: () => bundles.status(),
    checks: () =>
      Object.fromEntries(
        bundles.status().map(({ trustDomain, error }) => [`trust bundle of ${trustDomain}`, standing(error)]),
      ),
    standings: () =>
      bundles.status().map(({ trustDomain, error }) => [`trust bundle of ${trustDomain}`, error] as const),
    stop() {
      clearInterval(poll);
    },
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
