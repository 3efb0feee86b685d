import { readFile } from 'node:fs/promises';
import type { Config } from '../../config/schema.js';
import type { Feed } from '../../feed/feed.js';
import {
  createBundleStore,
  type BundleSource,
  type BundleStatus,
  type BundleStore,
} from '../../identity/bundle-store.js';
import { createBundleFile } from '../../spiffe/bundle-file.js';
import { Failure } from '../failure.js';
import { standing, type EnginePart, type PartOptions, type Standing } from './part.js';
import { createAgent, usesAgent, type Agent } from './workload-api.js';

export interface BundlesPart extends EnginePart {
  readonly store: BundleStore;
  status(): readonly BundleStatus[];
  /** Of the Workload API; none where it is not used. */
  streams(): ReturnType<Agent['streams']>;
}

/** Milliseconds that sources beyond this machine's files may hold up the start. */
const FIRST_BUNDLES = 5_000;

/**
 * Obtains the trust bundles and keeps them up to date.
 *
 * @throws Failure for a file that the operator has to mend, and for a Workload API without a socket
 */
export async function startBundles(config: Config, options: PartOptions): Promise<BundlesPart> {
  const { log, now } = options;
  const { identity } = config;
  const agent = usesAgent(identity) ? createAgent(identity, options) : undefined;
  const feeds: Feed<unknown>[] = agent ? [agent.bundles.x509, agent.bundles.jwt] : [];
  const fileFeeds: Feed<unknown>[] = [];

  const sources = Object.entries(identity.trust_domains).map(([trustDomain, domain]): BundleSource => {
    const maxStale = domain.max_stale ?? identity.max_stale;
    if (domain.bundle === undefined) return agent!.bundles.source(trustDomain, maxStale);
    const file = createBundleFile({
      ...options,
      trustDomain,
      path: domain.bundle,
      maxStale,
      readFile: (path) => readFile(path, 'utf8'),
    });
    fileFeeds.push(...file.feeds);
    return file.source;
  });
  const store = createBundleStore({
    sources,
    ...(agent &&
      identity.workload_api.federated === 'all' && { others: () => agent.everything(identity.max_stale) }),
    now,
  });
  const update = () => {
    if (store.update()) log.info({ revision: store.current().revision }, 'trust bundles changed');
  };
  const stopListening = [...feeds, ...fileFeeds].map((feed) => feed.onChange(update));
  const asked = Promise.all(feeds.map((feed) => feed.start()));
  await Promise.all(fileFeeds.map((feed) => feed.start()));
  await Promise.race([asked, elapsed(FIRST_BUNDLES)]);
  store.update();

  const stop = () => {
    for (const end of stopListening) end();
    for (const feed of [...feeds, ...fileFeeds]) feed.stop();
    agent?.close();
  };
  const broken = store
    .status()
    .filter(({ trustDomain }) => identity.trust_domains[trustDomain]!.bundle !== undefined)
    .flatMap(({ trustDomain, error }) => (error ? `${trustDomain}: ${error}` : []));
  if (broken.length > 0) {
    stop();
    throw new Failure(`identity.trust_domains: ${broken.join('\n')}`);
  }
  const domains = (): Standing[] =>
    store.status().map((status) => [`trust bundle of ${status.trustDomain}`, problem(status)]);
  return {
    store,
    status: () => store.status(),
    streams: () => agent?.streams() ?? [],
    checks: () => Object.fromEntries(domains().map(([what, error]) => [what, standing(error)])),
    standings: () => [...domains(), ...(agent?.standings() ?? [])],
    stop,
  };
}

function problem({ unavailable, error }: BundleStatus): string | undefined {
  return unavailable === undefined ? error : `its workloads are refused: ${unavailable}`;
}

function elapsed(milliseconds: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, milliseconds).unref());
}
