import { localHub, type Hub } from '../feed/feed.js';
import { createPolledFeed, type Fetched } from '../feed/polled-feed.js';
import { parseKeySet, type KeySet } from '../jws/key-set.js';
import { fetchKeys, type KeyFetchPorts } from './fetch-keys.js';

export interface KeySourceOptions extends KeyFetchPorts {
  readonly issuer: string;
  /** An absolute path, an http(s) URL, or `discovery`. */
  readonly location: string;
  /** Milliseconds between two fetches in the background. */
  readonly refresh: number;
  /** Milliseconds between two fetches that tokens of unknown keys cause. */
  readonly cooldown: number;
  /** Milliseconds for which the last good keys serve after a refresh was due and failed. */
  readonly maxStale: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Where the set is fetched. Default: here. */
  readonly hub?: Hub;
}

/** How an issuer's keys stand. Times are milliseconds since the epoch. */
export interface KeySourceStatus {
  readonly issuer: string;
  readonly keys: number;
  /** The keys are too old, or were never there: every token of the issuer is refused. */
  readonly stale: boolean;
  readonly lastSuccess?: number;
  /** Why the newest fetch failed; absent when it did not. */
  readonly lastError?: string;
}

/** The keys of one issuer, kept fresh in the background. */
export interface KeySource {
  /** The keys in force: the same object until they change, and undefined beyond the staleness bound. */
  current(): KeySet | undefined;
  /**
   * Asks for keys that are not there yet, at most once in each cool-down. Whoever asks meanwhile waits for the
   * same answer. Never rejects.
   */
  demand(): Promise<void>;
  /** Fetches for the first time, and from then on in the background, until {@link stop}. Never rejects. */
  start(): Promise<void>;
  stop(): void;
  status(): KeySourceStatus;
}

/** Fetches the text of a set wherever the hub does so, and makes keys of it here. */
export function createKeySource(options: KeySourceOptions): KeySource {
  const { issuer, location, refresh, cooldown, maxStale, now, hub = localHub } = options;
  const parse = rememberNewest(parseKeySet);
  // Issuers that publish their keys at one URL share what is fetched there.
  const place = /^https?:/.test(location) ? location : `${issuer} (${location})`;
  const name = `keys of ${place}, each ${refresh} ms or after ${cooldown} ms`;
  const feed = hub.feed<Fetched<string>>(name, () =>
    createPolledFeed({
      ...options,
      async obtain(previous) {
        const text = await fetchKeys(issuer, location, options);
        // A text that is no set is a failure of the fetch, and does not replace one that is.
        if (text !== previous) await parse(text);
        return text;
      },
    }),
  );
  let held: { readonly text?: string; readonly keys?: KeySet } = {};
  let standing: Fetched<string> = {};
  let taking: Promise<void> = Promise.resolve();

  /** One after the other: a set that takes longer to read must not replace a newer one. */
  function take(): Promise<void> {
    taking = taking.then(() => takeNewest()).catch(() => {});
    return taking;
  }

  async function takeNewest(): Promise<void> {
    const state = feed.latest();
    if (state === undefined || state === standing) return;
    const { value: text } = state;
    if (text !== undefined && text !== held.text) held = { text, keys: await parse(text) };
    standing = state;
  }
  const unsubscribe = feed.onChange(() => void take());

  function stale(): boolean {
    return standing.lastSuccess === undefined || now() - standing.lastSuccess > refresh + maxStale;
  }

  return {
    current: () => (stale() ? undefined : held.keys),
    demand: () => feed.demand().then(take),
    start: () => feed.start().then(take),
    stop() {
      unsubscribe();
      feed.stop();
    },
    status: () => ({
      issuer,
      keys: held.keys?.keys.length ?? 0,
      stale: stale(),
      ...(standing.lastSuccess !== undefined && { lastSuccess: standing.lastSuccess }),
      ...(standing.lastError !== undefined && { lastError: standing.lastError }),
    }),
  };
}

/** Where what fetches and what holds are in one process, a text is read once. */
function rememberNewest(parse: (text: string) => Promise<KeySet>): (text: string) => Promise<KeySet> {
  let newest: { readonly text: string; readonly keys: Promise<KeySet> } | undefined;
  return (text) => {
    if (newest?.text !== text) newest = { text, keys: parse(text) };
    return newest.keys;
  };
}
