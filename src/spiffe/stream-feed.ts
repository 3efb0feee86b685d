import { createCell } from '../feed/cell.js';
import type { Feed } from '../feed/feed.js';
import type { Fetched } from '../feed/polled-feed.js';
import type { OpenStream, StreamEnd } from './workload-api.js';

export interface StreamFeedOptions<Message, Value> {
  readonly open: OpenStream<Message>;
  /**
   * Makes of a message the whole that takes the place of what was there. It throws an Error for one that is to be
   * passed over.
   *
   * @param previous what an earlier message gave, unless it was withdrawn
   */
  readonly read: (message: Message, previous: Value | undefined) => Value;
  /** Milliseconds without a message after which the stream is opened anew, as each begins with one. */
  readonly refresh: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** Milliseconds that an agent may take for the first message of a stream, which it has to send without delay. */
const PATIENCE = 10_000;

/** Milliseconds until the first attempt after a stream ended; each further one waits twice as long. */
const FIRST_RETRY = 500;
const LONGEST_RETRY = 30_000;

/**
 * A feed of what a stream of the Workload API says. A stream that is silent may be one whose agent hangs; so it is
 * opened anew every now and then, and `lastSuccess` is the time of the last message, not of the connection.
 *
 * SPIRE's agent denies everything for the moment in which it replaces what a tainted authority signed. So a denial
 * counts when no message has come after it from an agent that was asked anew.
 */
export function createStreamFeed<Message, Value>(
  options: StreamFeedOptions<Message, Value>,
): Feed<Fetched<Value>> {
  const { open, read, refresh, now } = options;
  const cell = createCell<Fetched<Value>>();
  let failures = 0;
  let denied = false;
  let cancel: (() => void) | undefined;
  let timer: NodeJS.Timeout | undefined;
  let running = false;
  let heard: (() => void) | undefined;

  function publish(next: Fetched<Value>): void {
    heard?.();
    cell.set(next);
  }

  function connect(): void {
    cancel?.();
    after(PATIENCE, () => end({ kind: 'interrupted', detail: 'the agent is silent' }));
    cancel = open({ message, end });
  }

  function message(received: Message): void {
    failures = 0;
    denied = false;
    after(refresh, connect);
    try {
      const value = read(received, cell.latest()?.value);
      publish({ value, lastSuccess: now() });
    } catch (error) {
      publish({ ...cell.latest(), lastError: (error as Error).message });
    }
  }

  function end({ kind, detail }: StreamEnd): void {
    cancel?.();
    cancel = undefined;
    clearTimeout(timer);
    failures = kind === 'denied' && !denied ? 1 : failures + 1;
    const longest = Math.min(LONGEST_RETRY, FIRST_RETRY * 2 ** (failures - 1));
    // Up to a tenth earlier, so that what lost its agent together does not come back together.
    if (kind !== 'hopeless') after(longest * (1 - Math.random() / 10), connect);
    publish(denied ? { lastError: detail } : { ...cell.latest(), lastError: detail });
    denied ||= kind === 'denied';
  }

  function after(milliseconds: number, then: () => void): void {
    clearTimeout(timer);
    if (!running) return;
    timer = setTimeout(then, milliseconds);
    timer.unref();
  }

  return {
    latest: cell.latest,
    onChange: cell.onChange,
    // The agent sends what is new without being asked.
    demand: () => Promise.resolve(),
    start() {
      running = true;
      const first = new Promise<void>((resolve) => (heard = resolve));
      connect();
      return first;
    },
    stop() {
      running = false;
      clearTimeout(timer);
      cancel?.();
    },
  };
}
