import type { Feed } from '../feed/feed.js';
import type { Fetched } from '../feed/polled-feed.js';
import type { BundleReading, BundleSource } from '../identity/bundle-store.js';

/** A source of one trust domain's bundle, and the feeds that it reads: somebody has to start and to stop them. */
export interface BundleFeed {
  readonly source: BundleSource;
  readonly feeds: readonly Feed<unknown>[];
}

/** What a feed holds, as the holder of bundles reads it. */
export function readingOf<Value>(
  state: Fetched<Value> | undefined,
  documentOf: (value: Value) => Pick<BundleReading, 'text' | 'der'>,
): BundleReading | undefined {
  if (state === undefined) return undefined;
  const { value, lastSuccess, lastError } = state;
  return {
    ...(value !== undefined && documentOf(value)),
    ...(lastSuccess !== undefined && { lastSuccess }),
    ...(lastError !== undefined && { lastError }),
  };
}
