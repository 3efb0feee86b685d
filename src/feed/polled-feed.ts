import { createCell } from './cell.js';
import type { Feed } from './feed.js';

/** What came of fetching so far. Times are milliseconds since the epoch. */
export interface Fetched<Value> {
  /** The newest that was good; it stays while later attempts fail. */
  readonly value?: Value;
  readonly lastSuccess?: number;
  /** Why the newest attempt failed; absent when it did not. */
  readonly lastError?: string;
}

export interface PolledFeedOptions<Value> {
  /**
   * Fetches, and rejects with an Error that says what went wrong. What it gives has been looked at: it is good.
   *
   * @param previous the newest that was good
   */
  readonly obtain: (previous: Value | undefined) => Promise<Value>;
  /** Milliseconds between two fetches in the background, which what was fetched last may have a say in. */
  readonly refresh: number | ((newest: Value | undefined) => number);
  /** Milliseconds between two fetches that demands cause. */
  readonly cooldown: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** Milliseconds until the first retry after a failure; each further one waits twice as long. */
const FIRST_RETRY = 1_000;

/** A feed of something that is asked for again and again, and sooner where somebody lacks what is new. */
export function createPolledFeed<Value>(options: PolledFeedOptions<Value>): Feed<Fetched<Value>> {
  const { obtain, refresh, cooldown, now } = options;
  const cell = createCell<Fetched<Value>>();
  let lastDemand = Number.NEGATIVE_INFINITY;
  let failures = 0;
  let fetching: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let running = false;

  async function fetchOnce(): Promise<void> {
    let next: Fetched<Value>;
    try {
      next = { value: await obtain(cell.latest()?.value), lastSuccess: now() };
      failures = 0;
    } catch (error) {
      failures++;
      // What was good stays whole; how long it may serve is for its holder to say.
      next = { ...cell.latest(), lastError: (error as Error).message };
    }
    cell.set(next);
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
    const regular = typeof refresh === 'number' ? refresh : refresh(cell.latest()?.value);
    const backoff = failures === 0 ? regular : Math.min(regular, FIRST_RETRY * 2 ** (failures - 1));
    // Up to a tenth earlier, so that replicas which started together do not ask together for ever.
    timer = setTimeout(() => void fetchMerged(), backoff * (1 - Math.random() / 10));
    timer.unref();
  }

  return {
    latest: cell.latest,
    onChange: cell.onChange,
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
  };
}
