import { isRefusal, type Refusal } from '../errors/refusal.js';
import type { Feed, Hub } from '../feed/feed.js';
import type { Fetched } from '../feed/polled-feed.js';
import type { BundleReading, BundleSource } from '../identity/bundle-store.js';
import { isTrustDomainName } from '../identity/spiffe-id.js';
import { parseDerBundle, parseJwtAuthorities, type TrustBundle } from '../identity/trust-bundle.js';
import type { KeySet } from '../jws/key-set.js';
import { createStreamFeed } from './stream-feed.js';
import type { BundlesMessage, WorkloadApi } from './workload-api.js';

export interface WorkloadBundlesOptions {
  /** Called in the process that fetches, and in no other. */
  readonly api: () => WorkloadApi;
  /** Milliseconds without a message after which the agent is asked again. */
  readonly refresh: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly hub: Hub;
}

/** Trust bundles from the streams of the Workload API, each of which is a full replacement of what it sent before. */
export interface WorkloadBundles {
  readonly x509: Feed<Fetched<ReceivedBundles>>;
  readonly jwt: Feed<Fetched<ReceivedBundles>>;
  /** Of one trust domain. */
  source(trustDomain: string, maxStale: number): BundleSource;
  /** The trust domains of the newest message. */
  trustDomains(): readonly string[];
}

/** By trust domain. */
export type ReceivedBundles = ReadonlyMap<string, ReceivedBundle>;

export interface ReceivedBundle {
  /** Certificates in base64, or the text of a JWK Set; absent where none was ever good. */
  readonly document?: string;
  /** When the document was last sent; milliseconds since the epoch. */
  readonly at?: number;
  /** Why what the newest message says of the domain is no bundle. */
  readonly fault?: string;
}

export function createWorkloadBundles({ api, refresh, now, hub }: WorkloadBundlesOptions): WorkloadBundles {
  const x509 = hub.feed('trust bundles of the Workload API', () =>
    createStreamFeed<BundlesMessage, ReceivedBundles>({
      open: api().stream('FetchX509Bundles'),
      read: (message, previous) => readX509(message, previous, now()),
      refresh,
      now,
    }),
  );
  const jwt = hub.feed('JWT bundles of the Workload API', () =>
    createStreamFeed<BundlesMessage, ReceivedBundles>({
      open: api().stream('FetchJWTBundles'),
      read: (message, previous) => readJwt(message, previous, now()),
      refresh,
      now,
    }),
  );
  return {
    x509,
    jwt,
    trustDomains: () => [...(x509.latest()?.value?.keys() ?? [])],
    source: (trustDomain, maxStale) => ({
      trustDomain,
      maxStale,
      refresh: () => refresh,
      read: () => readingOf(x509.latest(), trustDomain, (der) => ({ der })),
      // A domain may well have none of these.
      readJwtAuthorities: () => readingOf(jwt.latest(), trustDomain, (text) => ({ text })),
    }),
  };
}

function readX509(
  message: BundlesMessage,
  previous: ReceivedBundles | undefined,
  now: number,
): ReceivedBundles {
  return readBundles(message, previous, now, (bytes, trustDomain) => ({
    document: bytes.toString('base64'),
    parse: () => parseDerBundle(trustDomain, bytes),
  }));
}

function readJwt(
  message: BundlesMessage,
  previous: ReceivedBundles | undefined,
  now: number,
): ReceivedBundles {
  return readBundles(message, previous, now, (bytes) => {
    const document = bytes.toString('utf8');
    return { document, parse: () => parseJwtAuthorities(document) };
  });
}

interface Candidate {
  readonly document: string;
  parse(): TrustBundle | KeySet | Refusal<'trust_bundle_malformed'>;
}

/**
 * What a message leaves out is withdrawn (Workload API, section 4.4). What it says wrongly of one domain leaves the
 * last good bundle of that domain in force, growing older, and touches no other.
 */
function readBundles(
  { bundles }: BundlesMessage,
  previous: ReceivedBundles | undefined,
  now: number,
  candidateOf: (bytes: Buffer, trustDomain: string) => Candidate,
): ReceivedBundles {
  const received = new Map<string, ReceivedBundle>();
  const twice = new Set<string>();
  for (const [key, bytes] of Object.entries(bundles)) {
    // The standard says the trust domain's SPIFFE ID; some agents write the bare name.
    const trustDomain = key.startsWith('spiffe://') ? key.slice('spiffe://'.length) : key;
    if (!isTrustDomainName(trustDomain)) continue;
    if (received.has(trustDomain)) twice.add(trustDomain);
    const before = previous?.get(trustDomain);
    const { document, parse } = candidateOf(bytes, trustDomain);
    const parsed = document === before?.document ? undefined : parse();
    received.set(
      trustDomain,
      isRefusal(parsed) ? { ...before, fault: parsed.detail } : { document, at: now },
    );
  }
  // Two bundles of one domain are not merged, and nothing says which of them is meant.
  for (const trustDomain of twice)
    received.set(trustDomain, { ...previous?.get(trustDomain), fault: 'it was sent under two names' });
  return received;
}

const NOT_SENT = 'the Workload API does not send it';

function readingOf(
  state: Fetched<ReceivedBundles> | undefined,
  trustDomain: string,
  documentOf: (document: string) => Pick<BundleReading, 'text' | 'der'>,
): BundleReading | undefined {
  if (state === undefined) return undefined;
  const { document, at, fault } = state.value?.get(trustDomain) ?? {};
  const missing = state.value !== undefined && !state.value.has(trustDomain) ? NOT_SENT : undefined;
  const lastError = fault ?? state.lastError ?? missing;
  return {
    ...(document !== undefined && documentOf(document)),
    ...(at !== undefined && { lastSuccess: at }),
    ...(lastError !== undefined && { lastError }),
  };
}
