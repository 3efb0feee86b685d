import { fetchKeys, type KeyFetchPorts } from './fetch-keys.js';
import { parseKeySet, type KeySet } from '../jws/key-set.js';

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

/** Milliseconds until the first retry after a failure; each further one waits twice as long. */
const FIRST_RETRY = 1_000;

export function createKeySource(options: KeySourceOptions): KeySource {
  const { issuer, location, refresh, cooldown, maxStale, now } = options;
  let keys: KeySet | undefined;
  let text: string | undefined;
  let lastSuccess: number | undefined;
  let lastError: string | undefined;
  let lastDemand = Number.NEGATIVE_INFINITY;
  let failures = 0;
  let fetching: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let running = false;

  async function fetchOnce(): Promise<void> {
    try {
      const fresh = await fetchKeys(issuer, location, options);
      if (fresh !== text) keys = await parseKeySet(fresh);
      text = fresh;
      lastSuccess = now();
      lastError = undefined;
      failures = 0;
    } catch (error) {
      // The last good set stays whole; how long it may serve is for current() to say.
      lastError = (error as Error).message;
      failures++;
    }
  }

  function fetchMerged(): Promise<void> {
    fetching ??= fetchOnce().finally(() => {
      fetching = undefined;
      schedule();
    });
    return fetching;
  }

  function schedule(): void {
    clearTimeout(timer);
    if (!running) return;
    const backoff = failures === 0 ? refresh : Math.min(refresh, FIRST_RETRY * 2 ** (failures - 1));
    // Up to a tenth earlier, so that replicas which started together do not ask together for ever.
    timer = setTimeout(() => void fetchMerged(), backoff * (1 - Math.random() / 10));
    timer.unref();
  }

  function stale(): boolean {
    return lastSuccess === undefined || now() - lastSuccess > refresh + maxStale;
  }

  return {
    current: () => (stale() ? undefined : keys),
    demand() {
      if (fetching) return fetching;
      if (now() - lastDemand < cooldown) return Promise.resolve();
      lastDemand = now();
      return fetchMerged();
    },
    start() {
      running = true;
      return fetchMerged();
    },
    stop() {
      running = false;
      clearTimeout(timer);
    },
    status: () => ({
      issuer,
      keys: keys?.keys.length ?? 0,
      stale: stale(),
      ...(lastSuccess !== undefined && { lastSuccess }),
      ...(lastError !== undefined && { lastError }),
    }),
  };
}
