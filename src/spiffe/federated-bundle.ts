import { isRefusal } from '../errors/refusal.js';
import type { Hub } from '../feed/feed.js';
import { createPolledFeed, type Fetched } from '../feed/polled-feed.js';
import { parseSpiffeBundle, parseTrustBundle, type TrustBundle } from '../identity/trust-bundle.js';
import { readingOf, type BundleFeed } from './bundle-feed.js';
import { endpointFault } from './endpoint-identity.js';
import { httpsGet, type PeerTrust } from './https-get.js';

export interface FederatedBundleOptions {
  /** The domain whose bundle it is. Neither the URL nor the endpoint's own domain has a say in that. */
  readonly trustDomain: string;
  /** https */
  readonly url: string;
  readonly profile: EndpointProfile;
  /** Milliseconds that the bundle's own refresh hint is kept within. */
  readonly minRefresh: number;
  readonly maxRefresh: number;
  /** Milliseconds for which the last good bundle serves after a refresh was due and failed. */
  readonly maxStale: number;
  readonly readFile: (path: string) => Promise<string>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly hub: Hub;
}

/** How the endpoint proves who it is (SPIFFE Federation, section 5.2). */
export type EndpointProfile =
  | {
      readonly kind: 'https_web';
      /** Absolute path of PEM roots in place of those of Node.js. */
      readonly ca?: string;
    }
  | {
      readonly kind: 'https_spiffe';
      readonly spiffeId: string;
      /**
       * The bundle that its domain is verified with. `file`: its domain is the one that it serves, and this file (an
       * absolute path) holds the first bundle; from then on the newest that was fetched counts. Otherwise the bundle
       * that is in force for its domain, from whatever source that has.
       */
      readonly bundle: { readonly file: string } | (() => TrustBundle | undefined);
    };

/** The endpoint's answer, whole. */
interface Document {
  readonly text: string;
  readonly etag?: string;
}

/** Milliseconds where the bundle says nothing (SPIFFE Federation, section 4.1). */
const DEFAULT_REFRESH = 5 * 60_000;
/** Milliseconds for one answer. */
const TIMEOUT = 10_000;
/** Bytes: some hundred authorities. */
const MOST_BYTES = 1024 * 1024;

/** The trust bundle of a domain that is federated with, from its bundle endpoint. */
export function createFederatedBundle(options: FederatedBundleOptions): BundleFeed {
  const { trustDomain, maxStale, now, hub } = options;
  const interval = (bundle: TrustBundle | undefined) => refreshOf(options, bundle);
  const feed = hub.feed<Fetched<Document>>(`trust bundle of ${trustDomain} from its endpoint`, () => {
    const endpoint = new Endpoint(options);
    return createPolledFeed({
      obtain: (previous) => endpoint.fetch(previous),
      refresh: () => interval(endpoint.bundle),
      cooldown: options.minRefresh,
      now,
    });
  });
  return {
    feeds: [feed],
    source: {
      trustDomain,
      read: () => readingOf(feed.latest(), ({ text }) => ({ text })),
      refresh: interval,
      maxStale,
    },
  };
}

/** Milliseconds until the next fetch: the hint within its bounds, so that no bundle asks for a storm or for years. */
function refreshOf(
  { minRefresh, maxRefresh }: Pick<FederatedBundleOptions, 'minRefresh' | 'maxRefresh'>,
  bundle: TrustBundle | undefined,
): number {
  const hint = bundle?.refreshHint === undefined ? DEFAULT_REFRESH : bundle.refreshHint * 1000;
  return Math.min(Math.max(hint, minRefresh), maxRefresh);
}

/** What fetches, in the one process that does. */
class Endpoint {
  /** The newest that was good. */
  bundle: TrustBundle | undefined;
  private fetchedAt = 0;

  constructor(private readonly options: FederatedBundleOptions) {}

  async fetch(previous: Document | undefined): Promise<Document> {
    const { trustDomain, url } = this.options;
    const answer = await httpsGet({
      url,
      trust: await this.trust(),
      timeout: TIMEOUT,
      maxBytes: MOST_BYTES,
      ...(previous?.etag !== undefined && { etag: previous.etag }),
    });
    const at = this.options.now();
    if (answer !== 'unchanged' && answer.text !== previous?.text) {
      const bundle = parseSpiffeBundle(trustDomain, answer.text);
      if (isRefusal(bundle)) throw new Error(`${url}: ${bundle.detail}`);
      const fault = orderFault(this.bundle, bundle);
      if (fault !== undefined) throw new Error(`${url}: ${fault}`);
      this.bundle = bundle;
    }
    this.fetchedAt = at;
    return answer === 'unchanged' ? previous! : answer;
  }

  private async trust(): Promise<PeerTrust> {
    const { profile, readFile, now } = this.options;
    if (profile.kind === 'https_web') {
      if (profile.ca === undefined) return { kind: 'web' };
      return { kind: 'web', authorities: await read(profile.ca, readFile) };
    }
    const bundle = await this.endpointBundle(profile);
    return {
      kind: 'chain',
      fault: (chain) => endpointFault(chain, { spiffeId: profile.spiffeId, bundle, now: now() }),
    };
  }

  private async endpointBundle({
    bundle: source,
  }: Extract<EndpointProfile, { kind: 'https_spiffe' }>): Promise<TrustBundle> {
    const { trustDomain, maxStale, readFile, now, url } = this.options;
    if (typeof source === 'function') {
      const bundle = source();
      if (bundle === undefined) throw new Error(`${url}: there is no bundle yet to verify the endpoint with`);
      return bundle;
    }
    // A file that has been overtaken by rotation must not bring an old authority back, as long as there is a newer one.
    const bound = refreshOf(this.options, this.bundle) + maxStale;
    // A domain that took back every authority did so for a reason, and the file may hold the very one.
    const withdrawn = this.bundle?.authorities.length === 0;
    if (this.bundle !== undefined && (withdrawn || now() <= this.fetchedAt + bound)) return this.bundle;
    const bundle = parseTrustBundle(trustDomain, await read(source.file, readFile));
    if (isRefusal(bundle)) throw new Error(`${source.file}: ${bundle.detail}`);
    return bundle;
  }
}

/** A bundle that is older than the one in force is somebody's copy of it (SPIFFE Federation, section 4.2). */
function orderFault(held: TrustBundle | undefined, fresh: TrustBundle): string | undefined {
  if (held?.sequence === undefined) return undefined;
  if (fresh.sequence === undefined) return 'its spiffe_sequence is gone';
  return fresh.sequence < held.sequence ? 'its spiffe_sequence went back' : undefined;
}

async function read(path: string, readFile: FederatedBundleOptions['readFile']): Promise<string> {
  try {
    return await readFile(path);
  } catch (error) {
    const { code, name } = error as NodeJS.ErrnoException;
    throw new Error(`${path}: cannot be read (${code ?? name})`, { cause: error });
  }
}
