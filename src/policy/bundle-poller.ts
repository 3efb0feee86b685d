import { isRefusal, refuse, type Refusal } from '../errors/refusal.js';
import type { BundleCode } from './bundle-refusal.js';

/** One answer of a bundle service. */
export interface BundleAnswer {
  readonly status: number;
  readonly etag?: string;
  readonly contentType?: string;
  /** Of a 200 alone. */
  readonly body?: Uint8Array;
}

export interface BundlePollerOptions {
  /**
   * Asks the service, without following redirects.
   *
   * @param milliseconds for the whole answer
   * @throws Error that says what went wrong, without anything of what was answered
   */
  readonly get: (
    headers: { readonly [name: string]: string },
    milliseconds: number,
    signal: AbortSignal,
  ) => Promise<BundleAnswer | Refusal<BundleCode>>;
  /** A new bundle. The answer says why it is not in force. Never rejects. */
  readonly updated: (body: Uint8Array) => Promise<Refusal | undefined>;
  /** The bundle in force is the newest. */
  readonly unchanged: () => void;
  readonly failed: (refusal: Refusal<BundleCode>) => void;
  /** Milliseconds. */
  readonly minDelay: number;
  readonly maxDelay: number;
  /** Milliseconds that the server may hold a request back; 0 is no long polling. */
  readonly longPolling: number;
  /** Milliseconds for one answer, what the server holds it back aside. */
  readonly timeout: number;
  /** From 0 to 1. */
  readonly random: () => number;
  /** Milliseconds, of a clock that only goes forward. */
  readonly elapsed: () => number;
}

export interface BundlePoller {
  /** Asks for the first time, and from then on in the background until {@link stop}. */
  start(): Promise<void>;
  /** Asks now, whatever was answered before. */
  force(): Promise<void>;
  stop(): void;
}

/** Milliseconds before the first retry; each further one waits twice as long, up to `maxDelay`. */
const FIRST_RETRY = 500;

/** Milliseconds between two requests at least, however fast the server answers a long poll. */
const BREATH = 1_000;

/** Characters. Servers bound the headers that they take. */
const LONGEST_ETAG = 1024;

/** What a server that does long polling says of its bundles. */
const LONG_POLLING = 'application/vnd.openpolicyagent.bundles';

/** Fetches a bundle again and again, as OPA does: with ETag, and with long polling where the server offers it. */
export function createBundlePoller(options: BundlePollerOptions): BundlePoller {
  const { get, updated, unchanged, failed, minDelay, maxDelay, timeout, random, elapsed } = options;
  /** Of the bundle in force: what was refused is fetched anew, until the server has something better. */
  let etag: string | undefined;
  /** It is tried until the server says otherwise. */
  let longPolling = options.longPolling > 0;
  let failures = 0;
  let timer: NodeJS.Timeout | undefined;
  let asking: Promise<void> | undefined;
  let abort = new AbortController();
  let running = false;

  async function take(answer: BundleAnswer): Promise<void> {
    if (answer.status === 304) {
      // To a request without If-None-Match it would be nonsense, and would hide that there is no bundle.
      if (etag === undefined) throw new Error('answered 304 to a request without If-None-Match');
      failures = 0;
      unchanged();
      return;
    }
    if (answer.status !== 200) throw new Error(`answered ${answer.status}${hint(answer.status)}`);
    if (answer.body === undefined || answer.body.byteLength === 0)
      throw new Error('answered without a bundle');
    longPolling = options.longPolling > 0 && isLongPolling(answer.contentType);
    failures = 0;
    const refusal = await updated(answer.body);
    // One that no server could take back is none.
    if (refusal === undefined) etag = (answer.etag?.length ?? 0) > LONGEST_ETAG ? undefined : answer.etag;
  }

  async function ask(wait: boolean): Promise<void> {
    const holds = wait && longPolling && etag !== undefined ? options.longPolling : 0;
    try {
      const answer = await get(
        {
          accept: `${LONG_POLLING}, application/gzip, application/octet-stream`,
          prefer: holds > 0 ? `modes=snapshot;wait=${Math.ceil(holds / 1000)}` : 'modes=snapshot',
          ...(etag !== undefined && { 'if-none-match': etag }),
        },
        timeout + holds,
        abort.signal,
      );
      if (isRefusal(answer)) {
        failures++;
        failed(answer);
      } else await take(answer);
    } catch (error) {
      if (!running) return;
      failures++;
      failed(refuse('bundle_unreachable', (error as Error).message));
    }
  }

  function delay(took: number): number {
    if (failures > 0) {
      const backoff = Math.min(maxDelay, FIRST_RETRY * 2 ** Math.min(failures - 1, 30));
      // Replicas that were cut off together must not come back together.
      return backoff * (0.5 + random() / 2);
    }
    if (longPolling && etag !== undefined) return Math.max(0, BREATH - took);
    return minDelay + (maxDelay - minDelay) * random();
  }

  function round(wait: boolean): Promise<void> {
    clearTimeout(timer);
    const started = elapsed();
    abort = new AbortController();
    asking = ask(wait).finally(() => {
      asking = undefined;
      if (!running) return;
      timer = setTimeout(() => void round(true), delay(elapsed() - started));
      timer.unref();
    });
    return asking;
  }

  return {
    start() {
      running = true;
      return round(false);
    },
    async force() {
      if (asking !== undefined) {
        // It may be held back for minutes. Its timer must not start another one beside ours.
        running = false;
        abort.abort();
        await asking;
        running = true;
      }
      await round(false);
    },
    stop() {
      running = false;
      clearTimeout(timer);
      abort.abort();
    },
  };
}

function isLongPolling(contentType: string | undefined): boolean {
  return contentType?.split(';', 1)[0]!.trim().toLowerCase() === LONG_POLLING;
}

function hint(status: number): string {
  if (status >= 300 && status < 400) return ' (it redirects, which is not followed)';
  return status === 401 || status === 403 ? ' (see credentials of the service)' : '';
}
