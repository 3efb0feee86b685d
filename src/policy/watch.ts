export interface WatchOptions {
  /** Tells two states of what is watched apart, without reading it all. Never rejects. */
  readonly fingerprint: () => Promise<string>;
  /** Called with a change once it has settled, and again only when it has returned. Never rejects. */
  readonly changed: () => Promise<void>;
  /**
   * Asks the system to call back at changes; what comes of it is a hint and no more. Called anew after each
   * change, since what is watched may have been replaced as a whole.
   */
  readonly hints: (onHint: () => void) => { close(): void };
  /**
   * Milliseconds between two looks where no hint comes: network file systems and some mounts give none. Looks that take long
   * come less often: {@link SHARE}.
   */
  readonly poll?: number;
  /** Milliseconds for which nothing may change before a change counts: a save may be several writes. */
  readonly settle?: number;
}

export interface Watch {
  /** Looks now, and takes what is there for changed whatever the fingerprint says. */
  force(): Promise<void>;
  /** The present state, whose later changes are what counts; call it before reading for the first time. */
  start(): Promise<void>;
  stop(): void;
}

/** Of the time, looks that no hint brought take one part in so many: there may be many files, and the loop may be busy. */
const SHARE = 20;

/** Milliseconds from one to the next at most. */
const LONGEST = 10_000;

/** Looks that a change may go on for: something that never settles is read all the same. */
const MOST_LOOKS = 10;

/** Watches something that others write. */
export function createWatch({ fingerprint, changed, hints, poll = 500, settle = 60 }: WatchOptions): Watch {
  let known: string | undefined;
  let busy: Promise<void> | undefined;
  let again = false;
  let timer: NodeJS.Timeout | undefined;
  let hinted: { close(): void } | undefined;
  let running = false;
  /** Milliseconds of the last look. */
  let took = 0;

  function rehint(): void {
    hinted?.close();
    hinted = running ? hints(() => void look()) : undefined;
  }

  async function settled(first: string): Promise<string> {
    let last = first;
    for (let looks = 0; looks < MOST_LOOKS; looks++) {
      await new Promise((resolve) => setTimeout(resolve, settle));
      const next = await fingerprint();
      if (next === last) return next;
      last = next;
    }
    return last;
  }

  async function once(force: boolean): Promise<void> {
    const began = performance.now();
    const seen = await fingerprint();
    took = performance.now() - began;
    if (!force && seen === known) return;
    // What is written from here on is another change: the fingerprint is older than what is read.
    known = force ? seen : await settled(seen);
    await changed();
    rehint();
  }

  /** One at a time; a hint that comes meanwhile is a look afterwards. */
  function look(force = false): Promise<void> {
    if (busy !== undefined) {
      again = true;
      return force ? busy.then(() => look(true)) : busy;
    }
    busy = once(force).finally(() => {
      busy = undefined;
      if (again && running) {
        again = false;
        void look();
      }
    });
    return busy;
  }

  function schedule(pause: number): void {
    timer = setTimeout(() => {
      void look().finally(() => {
        if (running) schedule(Math.min(Math.max(poll, took * SHARE), LONGEST));
      });
    }, pause);
    timer.unref();
  }

  return {
    force: () => look(true),
    async start() {
      running = true;
      known = await fingerprint();
      rehint();
      schedule(poll);
    },
    stop() {
      running = false;
      clearTimeout(timer);
      hinted?.close();
    },
  };
}
