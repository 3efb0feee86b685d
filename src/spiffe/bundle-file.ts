import { isRefusal } from '../errors/refusal.js';
import type { Hub } from '../feed/feed.js';
import { createPolledFeed, type Fetched } from '../feed/polled-feed.js';
import { parseTrustBundle } from '../identity/trust-bundle.js';
import { readingOf, type BundleFeed } from './bundle-feed.js';

export interface BundleFileOptions {
  readonly trustDomain: string;
  /** Absolute. */
  readonly path: string;
  /** Milliseconds for which the last good bundle serves while the file is gone or broken. */
  readonly maxStale: number;
  readonly readFile: (path: string) => Promise<string>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly hub: Hub;
}

/**
 * Milliseconds between two looks. Kubernetes swaps a link above the file, of which no watch on the file itself
 * hears, and files of a few kilobytes cost nothing to read.
 */
const POLL = 5_000;

/** A trust bundle that somebody else keeps up to date in a file: PEM, or a SPIFFE bundle. */
export function createBundleFile(options: BundleFileOptions): BundleFeed {
  const { trustDomain, maxStale, now, hub } = options;
  const feed = hub.feed<Fetched<string>>(`trust bundle of ${trustDomain} from a file`, () =>
    createPolledFeed({
      refresh: POLL,
      cooldown: POLL,
      now,
      obtain: (previous) => readBundle(options, previous),
    }),
  );
  return {
    feeds: [feed],
    source: {
      trustDomain,
      read: () => readingOf(feed.latest(), (text) => ({ text })),
      refresh: () => POLL,
      maxStale,
    },
  };
}

/** @throws Error for a file that cannot be read, and for one that holds no trust bundle */
async function readBundle(
  { trustDomain, path, readFile }: BundleFileOptions,
  previous: string | undefined,
): Promise<string> {
  let text: string;
  try {
    text = await readFile(path);
  } catch (error) {
    const { code, name } = error as NodeJS.ErrnoException;
    throw new Error(`${path}: cannot be read (${code ?? name})`, { cause: error });
  }
  // The texts tell a change for certain, as timestamps don't.
  if (text === previous) return text;
  const bundle = parseTrustBundle(trustDomain, text);
  if (isRefusal(bundle)) throw new Error(`${path}: ${bundle.detail}`);
  return text;
}
