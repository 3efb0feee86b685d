import { readFile } from 'node:fs/promises';
import type { Config } from '../../config/schema.js';
import { createBundleStore, type BundleStatus, type BundleStore } from '../../identity/bundle-store.js';
import type { BundleFeed } from '../../spiffe/bundle-feed.js';
import { createBundleFile } from '../../spiffe/bundle-file.js';
import { Failure } from '../failure.js';
import type { EnginePart, PartOptions } from './part.js';

export interface BundlesPart extends EnginePart {
  readonly store: BundleStore;
  status(): readonly BundleStatus[];
}

/**
 * Obtains the trust bundles and keeps them up to date.
 *
 * @throws Failure for a file that the operator has to mend
 */
export async function startBundles(config: Config, { hub, log, now }: PartOptions): Promise<BundlesPart> {
  const { trust_domains: domains, max_stale: maxStale } = config.identity;
  const files = Object.entries(domains).map(([trustDomain, domain]): BundleFeed =>
    createBundleFile({
      trustDomain,
      path: domain.bundle,
      maxStale: domain.max_stale ?? maxStale,
      readFile: (path) => readFile(path, 'utf8'),
      now,
      hub,
    }),
  );
  const store = createBundleStore({ sources: files.map(({ source }) => source), now });
  const update = () => {
    if (store.update()) log.info({ revision: store.current().revision }, 'trust bundles changed');
  };
  const feeds = files.flatMap(({ feeds }) => feeds);
  await Promise.all(feeds.map((feed) => feed.start()));
  store.update();
  const stopListening = feeds.map((feed) => feed.onChange(update));
  const stop = () => {
    for (const end of stopListening) end();
    for (const feed of feeds) feed.stop();
  };

  const broken = store
    .status()
    .flatMap(({ trustDomain, error }) => (error ? `${trustDomain}: ${error}` : []));
  if (broken.length > 0) {
    stop();
    throw new Failure(`identity.trust_domains: ${broken.join('\n')}`);
  }
  return {
    store,
    status: () => store.status(),
    checks: () =>
      Object.fromEntries(
        store.status().map((status) => [`trust bundle of ${status.trustDomain}`, check(status)]),
      ),
    standings: () =>
      store.status().map((status) => [`trust bundle of ${status.trustDomain}`, problem(status)] as const),
    stop,
  };
}

function check(status: BundleStatus): { ok: boolean; detail?: string } {
  const detail = problem(status);
  return detail === undefined ? { ok: true } : { ok: false, detail };
}

function problem({ unavailable, error }: BundleStatus): string | undefined {
  return unavailable === undefined ? error : `its workloads are refused: ${unavailable}`;
}
