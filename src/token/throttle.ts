export interface ThrottleOptions {
  /** Requests that are out at once; further ones wait. */
  readonly concurrency: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Told how each request ended that was sent: why without an answer, or undefined. */
  readonly onEnd?: (error: string | undefined) => void;
}

/** Requests that wait at most; further ones fail. */
const WAITING = 1_000;
/** Failures in a row after which nothing is sent for a while. */
const FAILURES = 5;
/** Milliseconds of that; afterwards a single request finds out whether the other side is back. */
const PAUSE = 1_000;

/** What one request alone got wrong: it says nothing of how the other side is. */
export class RequestFault extends Error {}

/** Why a request has no answer, in words for the operator. */
export function whyUnanswered(error: unknown, signal: AbortSignal): string {
  return signal.aborted ? 'no answer in time' : (error as Error).message;
}

/** Keeps requests to one server from becoming a storm when it is slow, or away. */
export interface Throttle {
  /** @throws whatever the work does, and Error where it is not even begun */
  run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T>;
}

export function createThrottle({ concurrency, now, onEnd = () => {} }: ThrottleOptions): Throttle {
  const queue: (() => void)[] = [];
  let running = 0;
  let failed = 0;
  let pausedUntil = 0;

  async function turn(): Promise<void> {
    if (running < concurrency) {
      running++;
      return;
    }
    if (queue.length >= WAITING) throw new Error('too many requests wait already');
    // Whoever ends hands its place on: `running` stays as it is.
    await new Promise<void>((resolve) => queue.push(resolve));
  }

  function leave(): void {
    const next = queue.shift();
    if (next) next();
    else running--;
  }

  function checkPause(): void {
    if (failed < FAILURES) return;
    if (now() < pausedUntil) throw new Error('nothing is sent for a moment, as the last requests failed');
    pausedUntil = now() + PAUSE; // this one finds out; the others wait for what it finds
  }

  return {
    async run(work, signal) {
      checkPause();
      await turn();
      try {
        if (signal.aborted) throw new RequestFault('its turn did not come in time');
        const value = await work();
        failed = 0;
        onEnd(undefined);
        return value;
      } catch (error) {
        if (error instanceof RequestFault) throw error;
        failed++;
        onEnd(whyUnanswered(error, signal));
        if (failed >= FAILURES) pausedUntil = now() + PAUSE;
        throw error;
      } finally {
        leave();
      }
    },
  };
}
