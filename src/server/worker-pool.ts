/** One process that answers, as its supervisor sees it. */
export interface WorkerProcess<Message> {
  readonly pid: number | undefined;
  /** Never throws; what is sent to a process that is gone is lost. */
  send(message: Message): void;
  kill(signal: 'SIGTERM' | 'SIGKILL'): void;
  /** Called once, when it is gone. `how` is for the log. */
  onExit(listener: (how: string) => void): void;
}

/** How one of the places in the pool stands. */
export interface WorkerStanding {
  /** From 1. Whoever takes the place of one that died has its number. */
  readonly worker: number;
  readonly pid?: number;
  readonly state: 'starting' | 'ready' | 'dead';
  /** Of those in this place, how many died. */
  readonly deaths: number;
  /** Of the last one that died here. */
  readonly lastDeath?: string;
}

export interface WorkerPoolOptions<Process> {
  readonly size: number;
  /** Starts a process. `worker` is its number. */
  readonly spawn: (worker: number) => Process;
  readonly onDeath: (worker: number, how: string, pause: number) => void;
  /**
   * Milliseconds after which a process that has been ready, and from which nothing is heard, counts as hung and is killed.
   * Default: never.
   */
  readonly silence?: number;
}

/** The processes that answer. One that dies is replaced; one that dies again and again, with growing pauses. */
export interface WorkerPool<Process> {
  start(): void;
  /** The process has said that it takes connections. */
  ready(worker: number, process: Process): void;
  /** Something was heard from it. */
  alive(worker: number, process: Process): void;
  /** It takes none any more, and is about to end. */
  leaving(worker: number, process: Process): void;
  /** Those that take connections. */
  serving(): readonly { readonly worker: number; readonly process: Process }[];
  all(): readonly { readonly worker: number; readonly process: Process }[];
  standings(): readonly WorkerStanding[];
  /**
   * Replaces nobody any more, and waits until all are gone: those that are not after `milliseconds` are killed.
   *
   * @returns whether all went by themselves
   */
  stop(milliseconds: number): Promise<boolean>;
}

/** Milliseconds before the second attempt after quick deaths; each further one waits twice as long. */
const FIRST_PAUSE = 250;
const LONGEST_PAUSE = 30_000;

/** Milliseconds of life after which a death is one by itself, and the next start waits for nothing. */
const LIFE = 10_000;

/** How many looks in a row have to find a process silent. A look that comes late, after this process hung itself, is one. */
const LOOKS = 5;

interface Place<Process> {
  readonly worker: number;
  process?: Process;
  ready: boolean;
  /** Looks that found it silent; undefined while it is starting, which takes as long as it takes. */
  silent: number | undefined;
  since: number;
  quick: number;
  deaths: number;
  lastDeath?: string;
  timer?: NodeJS.Timeout;
}

export function createWorkerPool<Message, Process extends WorkerProcess<Message>>(
  options: WorkerPoolOptions<Process>,
): WorkerPool<Process> {
  const { size, spawn, onDeath, silence } = options;
  const places = Array.from({ length: size }, (_, at): Place<Process> => {
    return { worker: at + 1, ready: false, silent: undefined, since: 0, quick: 0, deaths: 0 };
  });
  let stopping = false;
  let emptied = () => {};
  let looking: NodeJS.Timeout | undefined;

  function begin(place: Place<Process>): void {
    const process = spawn(place.worker);
    place.process = process;
    place.ready = false;
    place.silent = undefined;
    place.since = performance.now();
    process.onExit((how) => {
      if (place.process !== process) return;
      bury(place, isHung(place) ? `it hung for ${silence! / 1000} s` : how);
    });
  }

  function bury(place: Place<Process>, how: string): void {
    delete place.process;
    place.ready = false;
    if (stopping) {
      if (places.every(({ process }) => process === undefined)) emptied();
      return;
    }
    place.deaths++;
    place.lastDeath = how;
    place.quick = performance.now() - place.since < LIFE ? place.quick + 1 : 0;
    // The first one is replaced at once: most deaths are one of a kind.
    const pause = place.quick < 2 ? 0 : Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (place.quick - 2));
    onDeath(place.worker, how, pause);
    place.timer = setTimeout(() => begin(place), pause);
  }

  function isHung({ silent }: Place<Process>): boolean {
    return silent !== undefined && silent >= LOOKS;
  }

  function look(): void {
    for (const place of places) {
      if (place.process === undefined || place.silent === undefined) continue;
      place.silent++;
      if (isHung(place)) place.process.kill('SIGKILL');
    }
  }

  function living(only: (place: Place<Process>) => boolean) {
    return places.flatMap((place) =>
      place.process !== undefined && only(place) ? [{ worker: place.worker, process: place.process }] : [],
    );
  }

  return {
    start() {
      for (const place of places) begin(place);
      if (silence !== undefined) looking = setInterval(look, silence / LOOKS);
      looking?.unref();
    },
    ready(worker, process) {
      const place = places[worker - 1];
      if (place?.process !== process) return;
      place!.ready = true;
      place!.silent = 0;
    },
    alive(worker, process) {
      const place = places[worker - 1];
      if (place?.process === process && place!.silent !== undefined) place!.silent = 0;
    },
    leaving(worker, process) {
      const place = places[worker - 1];
      if (place?.process === process) place!.ready = false;
    },
    serving: () => living(({ ready }) => ready),
    all: () => living(() => true),
    standings: () =>
      places.map(({ worker, process, ready, deaths, lastDeath }) => ({
        worker,
        ...(process?.pid !== undefined && { pid: process.pid }),
        state: process === undefined ? 'dead' : ready ? 'ready' : 'starting',
        deaths,
        ...(lastDeath !== undefined && { lastDeath }),
      })),
    async stop(milliseconds) {
      stopping = true;
      clearInterval(looking);
      for (const { timer } of places) clearTimeout(timer);
      if (places.every(({ process }) => process === undefined)) return true;
      const gone = new Promise<void>((resolve) => (emptied = resolve));
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<'late'>((resolve) => (timer = setTimeout(resolve, milliseconds, 'late')));
      const first = await Promise.race([gone, late]);
      clearTimeout(timer);
      if (first !== 'late') return true;
      for (const { process } of living(() => true)) process.kill('SIGKILL');
      await gone;
      return false;
    },
  };
}
