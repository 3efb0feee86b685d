import { jest } from '@jest/globals';
import type { Feed } from '../../src/feed/feed.js';
import type { HubReply, HubRequest, Port } from '../../src/feed/port.js';
import { createPublishingHub } from '../../src/feed/publishing-hub.js';
import { createReplicaHub } from '../../src/feed/replica-hub.js';

afterEach(() => jest.useRealTimers());

/** Two ends of one line, as between processes: messages are copies, and arrive later. */
function line() {
  const listeners = { near: [] as ((m: never) => void)[], far: [] as ((m: never) => void)[] };
  const closers: (() => void)[] = [];
  const sent: HubRequest[] = [];
  let open = true;
  const end = (to: ((m: never) => void)[], own: ((m: never) => void)[], log?: unknown[]) => ({
    send(message: unknown) {
      log?.push(message);
      const copy = structuredClone(message) as never;
      queueMicrotask(() => open && to.forEach((listener) => listener(copy)));
    },
    onMessage: (listener: (m: never) => void) => void own.push(listener),
    onClose: (listener: () => void) => void closers.push(listener),
  });
  return {
    supervisor: end(listeners.far, listeners.near) as Port<HubReply, HubRequest>,
    worker: end(listeners.near, listeners.far, sent) as Port<HubRequest, HubReply>,
    sent,
    cut() {
      open = false;
      for (const close of closers) close();
    },
  };
}

/** A feed that says what it is told to say. */
function hand<State>(initial?: State) {
  const listeners = new Set<(state: State) => void>();
  let latest = initial;
  const calls = { start: 0, demand: 0, stop: 0 };
  let release = () => {};
  const held = { demand: Promise.resolve() };
  const feed: Feed<State> = {
    latest: () => latest,
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    demand() {
      calls.demand++;
      return held.demand;
    },
    start() {
      calls.start++;
      return Promise.resolve();
    },
    stop: () => void calls.stop++,
  };
  return {
    feed,
    calls,
    put(state: State) {
      latest = state;
      for (const listener of listeners) listener(state);
    },
    hold() {
      held.demand = new Promise((resolve) => (release = resolve));
      return () => release();
    },
  };
}

const turns = async () => {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
};

function setUp<State>(original: ReturnType<typeof hand<State>>, options = {}) {
  const hub = createPublishingHub();
  const near = hub.feed('keys', () => original.feed);
  const worker = () => {
    const { supervisor, worker, cut, sent } = line();
    hub.attach(supervisor);
    const replicas = createReplicaHub(worker, options);
    const never = (): never => {
      throw new Error('a replica makes nothing');
    };
    return {
      hub: replicas,
      replica: replicas.feed<State>('keys', never),
      ask: replicas.service<string, string>('echo', never),
      cut,
      sent,
    };
  };
  return { hub, near, worker };
}

describe('a replica of a feed', () => {
  test('has the state of the original from the start, and each later one, for every worker', async () => {
    const original = hand({ text: 'a', at: new Date(0) });
    const { worker } = setUp(original);
    const workers = [worker(), worker(), worker()];
    const seen: string[] = [];
    workers[0]!.replica.onChange(({ text }) => void seen.push(text));
    expect(workers[0]!.replica.latest()).toBeUndefined();
    await turns();
    for (const { replica } of workers) expect(replica.latest()).toEqual({ text: 'a', at: new Date(0) });
    original.put({ text: 'b', at: new Date(1) });
    await turns();
    for (const { replica } of workers) expect(replica.latest()?.text).toBe('b');
    expect(seen).toEqual(['a', 'b']);
    // The same object until it changes: what was made of it is kept by that.
    expect(workers[0]!.replica.latest()).toBe(workers[0]!.replica.latest());
  });

  test('is told nothing more once it is not listened to', async () => {
    const original = hand('a');
    const { worker } = setUp(original);
    const { replica } = worker();
    const seen: string[] = [];
    const end = replica.onChange((state) => void seen.push(state));
    await turns();
    end();
    original.put('b');
    await turns();
    expect(seen).toEqual(['a']);
  });

  test('has started once the original has, and with its state, if there is one', async () => {
    const original = hand<string>();
    const { near, worker } = setUp(original);
    let release = () => {};
    const first = new Promise<void>((resolve) => (release = resolve));
    original.feed.start = () => first.then(() => original.put('a'));
    void near.start();
    const { replica } = worker();
    let started = false;
    const starting = replica.start().then(() => (started = true));
    await turns();
    expect(started).toBe(false);
    release();
    await starting;
    expect(replica.latest()).toBe('a');
  });

  test('hands a demand on, once for all who demand it meanwhile, and returns with what came of it', async () => {
    const original = hand('a');
    const { worker } = setUp(original);
    const one = worker();
    const other = worker();
    await turns();
    const release = original.hold();
    const demands = [one.replica.demand(), one.replica.demand(), other.replica.demand()];
    await turns();
    expect(one.sent.filter(({ kind }) => kind === 'demand')).toHaveLength(1);
    original.put('b');
    release();
    await Promise.all(demands);
    expect([one.replica.latest(), other.replica.latest()]).toEqual(['b', 'b']);
  });

  test('keeps its last state when the supervisor is gone, and demands nothing in vain', async () => {
    const original = hand('a');
    const { worker } = setUp(original);
    const { replica, cut } = worker();
    await turns();
    original.hold();
    const demanded = replica.demand();
    await turns();
    cut();
    await demanded;
    await replica.demand();
    await replica.start();
    expect(replica.latest()).toBe('a');
  });

  test('waits for a demand that is never answered no longer than its bound', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'queueMicrotask', 'nextTick'] });
    const original = hand('a');
    const { worker } = setUp(original, { longestDemand: 1_000 });
    const { replica } = worker();
    original.hold();
    let over = false;
    void replica.demand().then(() => (over = true));
    await jest.advanceTimersByTimeAsync(999);
    expect(over).toBe(false);
    await jest.advanceTimersByTimeAsync(1);
    expect(over).toBe(true);
  });
});

describe('a question to the one place that answers', () => {
  test('is answered there, for every worker and for the supervisor itself', async () => {
    const { hub, worker } = setUp(hand('a'));
    const asked: string[] = [];
    const own = hub.service('echo', () => (question: string) => {
      asked.push(question);
      return `${question}!`;
    });
    const [one, other] = [worker(), worker()];
    expect(await Promise.all([one.ask('x'), other.ask('y'), one.ask('z'), own('w')])).toEqual([
      'x!',
      'y!',
      'z!',
      'w!',
    ]);
    expect(asked.sort()).toEqual(['w', 'x', 'y', 'z']);
  });

  test('is refused with the words of what went wrong', async () => {
    const { hub, worker } = setUp(hand('a'));
    const { ask } = worker();
    await expect(ask('x')).rejects.toThrow('nobody answers to echo');
    hub.service('echo', () => () => Promise.reject(new Error('the store is full')));
    await expect(ask('x')).rejects.toThrow('the store is full');
  });

  test('is refused when the supervisor goes away, and at once when it has gone', async () => {
    const { hub, worker } = setUp(hand('a'));
    hub.service('echo', () => () => new Promise<string>(() => {}));
    const { ask, cut } = worker();
    const answer = ask('x');
    await turns();
    cut();
    await expect(answer).rejects.toThrow('the supervisor is gone');
    await expect(ask('y')).rejects.toThrow('the supervisor is gone');
  });

  test('is refused when no answer comes in time', async () => {
    const { hub, worker } = setUp(hand('a'), { patience: 20 });
    hub.service('echo', () => () => new Promise<string>(() => {}));
    await expect(worker().ask('x')).rejects.toThrow('does not answer');
  });
});

test('two things of one name are a mistake, told at once', () => {
  const { hub } = setUp(hand('a'));
  expect(() => hub.feed('keys', () => hand('b').feed)).toThrow('two feeds are called keys');
  hub.service('echo', () => () => 1);
  expect(() => hub.service('echo', () => () => 2)).toThrow('two services are called echo');
});
