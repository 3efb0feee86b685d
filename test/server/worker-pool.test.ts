import { jest } from '@jest/globals';
import { createWorkerPool, type WorkerProcess } from '../../src/server/worker-pool.js';

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

/** A process that does what it is told. */
class Fake implements WorkerProcess<string> {
  static pids = 0;
  readonly pid = ++Fake.pids;
  readonly signals: string[] = [];
  private exited = (_how: string) => {};
  constructor(
    readonly worker: number,
    private readonly stubborn = false,
  ) {}
  send() {}
  kill(signal: string) {
    this.signals.push(signal);
    if (signal === 'SIGKILL' || !this.stubborn) this.die(signal);
  }
  onExit(listener: (how: string) => void) {
    this.exited = listener;
  }
  die(how: string) {
    this.exited(how);
  }
}

function setUp(size = 2, stubborn = false, silence?: number) {
  const spawned: Fake[] = [];
  const deaths: { worker: number; how: string; pause: number }[] = [];
  const pool = createWorkerPool<string, Fake>({
    size,
    ...(silence !== undefined && { silence }),
    spawn(worker) {
      spawned.push(new Fake(worker, stubborn));
      return spawned.at(-1)!;
    },
    onDeath: (worker, how, pause) => deaths.push({ worker, how, pause }),
  });
  pool.start();
  const numbers = () => pool.serving().map(({ worker }) => worker);
  return { pool, spawned, deaths, numbers };
}

test('a worker serves once it says so, and until it says that it leaves', () => {
  const { pool, spawned, numbers } = setUp();
  expect(numbers()).toEqual([]);
  pool.ready(2, spawned[1]!);
  expect(numbers()).toEqual([2]);
  pool.leaving(2, spawned[1]!);
  expect(numbers()).toEqual([]);
});

test('one that dies is replaced at once, under its number', () => {
  const { pool, spawned, numbers } = setUp();
  for (const [at, process] of spawned.entries()) pool.ready(at + 1, process);
  jest.advanceTimersByTime(60_000);
  spawned[0]!.die('SIGKILL');
  expect(numbers()).toEqual([2]);
  expect(pool.standings()[0]).toEqual({ worker: 1, state: 'dead', deaths: 1, lastDeath: 'SIGKILL' });
  jest.advanceTimersByTime(0);
  expect(spawned).toHaveLength(3);
  expect(spawned[2]!.worker).toBe(1);
  expect(pool.standings()[0]).toMatchObject({ pid: spawned[2]!.pid, state: 'starting' });
  // The one that is gone has nothing to say any more.
  pool.ready(1, spawned[0]!);
  expect(numbers()).toEqual([2]);
  pool.ready(1, spawned[2]!);
  expect(numbers()).toEqual([1, 2]);
});

test('one that dies again and again is started with growing pauses, up to half a minute', () => {
  const { spawned, deaths } = setUp(1);
  for (let death = 0; death < 12; death++) {
    spawned.at(-1)!.die('exit code 1');
    jest.advanceTimersByTime(deaths.at(-1)!.pause);
  }
  expect(deaths.map(({ pause }) => pause)).toEqual([
    0, 250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 30_000,
  ]);
  // It has lived: the next death is one by itself.
  jest.advanceTimersByTime(10_000);
  spawned.at(-1)!.die('exit code 1');
  expect(deaths.at(-1)!.pause).toBe(0);
});

test('a stop waits until all are gone, and starts none anew', async () => {
  const { pool, spawned } = setUp();
  const stopped = pool.stop(1_000);
  spawned[0]!.die('exit code 0');
  spawned[1]!.die('exit code 0');
  expect(await stopped).toBe(true);
  jest.advanceTimersByTime(60_000);
  expect(spawned).toHaveLength(2);
});

test('a stop kills what does not go in time', async () => {
  const { pool, spawned } = setUp(2, true);
  const stopped = pool.stop(1_000);
  spawned[0]!.die('exit code 0');
  jest.advanceTimersByTime(999);
  expect(spawned[1]!.signals).toEqual([]);
  await jest.advanceTimersByTimeAsync(1);
  expect(await stopped).toBe(false);
  expect(spawned.map(({ signals }) => signals)).toEqual([[], ['SIGKILL']]);
});

test('a stop between a death and the next start leaves nobody behind', async () => {
  const { pool, spawned } = setUp(1);
  spawned[0]!.die('exit code 1');
  expect(await pool.stop(1_000)).toBe(true);
  jest.advanceTimersByTime(60_000);
  expect(spawned).toHaveLength(1);
});

test('one that hangs is killed and replaced, the others go on, and one that is starting has its time', () => {
  const { pool, spawned, deaths, numbers } = setUp(3, true, 10_000);
  pool.ready(1, spawned[0]!);
  pool.ready(2, spawned[1]!);
  for (let second = 1; second <= 9; second++) {
    jest.advanceTimersByTime(1_000);
    pool.alive(2, spawned[1]!);
  }
  expect(spawned.map(({ signals }) => signals)).toEqual([[], [], []]);
  jest.advanceTimersByTime(1_000);
  expect(spawned.slice(0, 3).map(({ signals }) => signals)).toEqual([['SIGKILL'], [], []]);
  expect(deaths).toEqual([{ worker: 1, how: 'it hung for 10 s', pause: 0 }]);
  expect(numbers()).toEqual([2]);
  jest.advanceTimersByTime(1);
  expect(spawned).toHaveLength(4);
  pool.ready(1, spawned[3]!);
  expect(numbers()).toEqual([1, 2]);
  // What was heard from one that is gone is nothing to the one in its place.
  pool.alive(1, spawned[0]!);
  jest.advanceTimersByTime(10_000);
  expect(spawned[3]!.signals).toEqual(['SIGKILL']);
});
