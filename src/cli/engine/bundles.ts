import type { Config } from '../../config/schema.js';
import type { Feed } from '../../feed/feed.js';
import { createBundleStore, type BundleStatus, type BundleStore } from '../../identity/bundle-store.js';
import { Failure } from '../failure.js';
import { createBundleFeed, type SourceKind } from './bundle-feeds.js';
import { standing, type EnginePart, type PartOptions, type Standing } from './part.js';
import type { Agent } from './workload-api.js';

export interface BundlesPart extends EnginePart {
  readonly store: BundleStore;
  status(): readonly BundleStatus[];
  /** Of the Workload API; none where it is not used. */
  streams(): ReturnType<Agent['streams']>;
  /** What this server can prove itself with; absent where the Workload API is not used. */
  readonly own?: Pick<Agent, 'svids' | 'jwtSvid'>;
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
  const { trust_domains: domains, max_stale: maxStale, workload_api: api } = config.identity;
  const agent = await agentOf(config, options);
  const sources = Object.entries(domains).map(([name, domain]) =>
    createBundleFeed(name, domain, {
      ...options,
      maxStale,
      agent,
      inForce: (other) => store.current().get(other),
    }),
  );
  const store: BundleStore = createBundleStore({
    sources: sources.map(({ source }) => source),
    ...(agent && api.federated === 'all' && { others: () => agent.everything(maxStale) }),
    now,
  });
  const update = () => {
    if (store.update()) log.info({ revision: store.current().revision }, 'trust bundles changed');
  };
  const feedsOf = (wanted: SourceKind): Feed<unknown>[] =>
    sources.filter(({ kind }) => kind === wanted).flatMap(({ feeds }) => feeds);
  const remote = [...(agent?.bundles ? [agent.bundles.x509, agent.bundles.jwt] : []), ...feedsOf('remote')];
  const feeds = [...feedsOf('file'), ...remote, ...feedsOf('dependent')];
  const stopListening = feeds.map((feed) => feed.onChange(update));
  const stop = () => {
    for (const end of stopListening) end();
    for (const feed of feeds) feed.stop();
    agent?.close();
  };

  const asked = startAll(remote).then(() => startAll(feedsOf('dependent')));
  await startAll(feedsOf('file'));
  store.update();
  const broken = sources
    .filter(({ kind }) => kind === 'file')
    .flatMap(({ source }) => {
      const error = source.read()?.lastError;
      return error === undefined ? [] : `${source.trustDomain}: ${error}`;
    });
  if (broken.length > 0) {
    stop();
    throw new Failure(`identity.trust_domains: ${broken.join('\n')}`);
  }
  await Promise.race([asked, elapsed(FIRST_BUNDLES)]);

  const standings = (): Standing[] =>
    store.status().map((status) => [`trust bundle of ${status.trustDomain}`, problem(status)]);
  return {
    store,
    status: () => store.status(),
    streams: () => agent?.streams() ?? [],
    ...(agent && { own: agent }),
    checks: () => Object.fromEntries(standings().map(([what, error]) => [what, standing(error)])),
    standings: () => [...standings(), ...(agent?.standings() ?? [])],
    stop,
  };
}

/** What the Workload API is asked for: trust bundles, and SVIDs that this server proves itself with. */
export function agentUses({ identity, listen, token, broker }: Config): {
  readonly forBundles: boolean;
  readonly forItself: boolean;
} {
  const { trust_domains: domains, workload_api: api } = identity;
  const servers = Object.values(broker?.servers ?? {});
  const clients = [...token.issuers.map(({ introspection }) => introspection), ...servers];
  return {
    forBundles: api.federated === 'all' || Object.values(domains).some(({ workload_api: asked }) => asked),
    forItself:
      listen.tls?.workload_api === true ||
      servers.some(({ grant, assertion }) => grant === 'jwt_bearer' && assertion !== 'callers') ||
      clients.some((client) => client?.client_authentication.workload_api === true),
  };
}

/** What it leans on, a gRPC client, is loaded where it is used. */
async function agentOf(config: Config, options: PartOptions): Promise<Agent | undefined> {
  const { forBundles, forItself } = agentUses(config);
  if (!forBundles && !forItself) return undefined;
  const { createAgent } = await import('./workload-api.js');
  return createAgent(config.identity, forBundles, options);
}

async function startAll(feeds: readonly Feed<unknown>[]): Promise<void> {
  await Promise.all(feeds.map((feed) => feed.start()));
}

function problem({ unavailable, error }: BundleStatus): string | undefined {
  return unavailable === undefined ? error : `its workloads are refused: ${unavailable}`;
}

function elapsed(milliseconds: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, milliseconds).unref());
}
