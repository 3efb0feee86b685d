import { jest } from '@jest/globals';
import { createKeySource, type KeySourceOptions } from '../../src/token/key-source.js';
import { ISSUER, NOW, TestKey, jwks } from './support.js';

const key = await TestKey.create('k1');
const next = await TestKey.create('k2');
const MINUTE = 60_000;

beforeEach(() => {
  // What reads the keys is WebCrypto, which goes on by itself on real threads.
  jest.useFakeTimers({ now: NOW, doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
  jest.spyOn(Math, 'random').mockReturnValue(0);
});
afterEach(() => {
  jest.restoreAllMocks();
  jest.useRealTimers();
});

/** A source whose one file each test writes: undefined cannot be read. */
function setUp(options: Partial<KeySourceOptions> = {}) {
  const file: { text: string | undefined; reads: number; hold?: Promise<void> } = {
    text: jwks(key),
    reads: 0,
  };
  const source = createKeySource({
    issuer: ISSUER,
    location: '/keys.json',
    refresh: 5 * MINUTE,
    cooldown: 30_000,
    maxStale: 60 * MINUTE,
    now: () => Date.now(),
    fetch: () => Promise.reject(new Error('nothing is fetched')),
    readFile: async () => {
      file.reads++;
      await file.hold;
      if (file.text === undefined) throw Object.assign(new Error(), { code: 'ENOENT' });
      return file.text;
    },
    ...options,
  });
  return { source, file, ids: () => source.current()?.keys.map(({ keyId }) => keyId) };
}

/** A running source has a timer as soon as it is done. */
async function pass(milliseconds: number): Promise<void> {
  await jest.advanceTimersByTimeAsync(milliseconds);
  while (jest.getTimerCount() === 0) await new Promise((resolve) => setImmediate(resolve));
}

describe('the background', () => {
  test('fetches in every interval, up to a tenth of it earlier', async () => {
    const { source, file } = setUp();
    await source.start();
    await pass(5 * MINUTE - 1);
    expect(file.reads).toBe(1);
    await pass(1);
    expect(file.reads).toBe(2);
    jest.mocked(Math.random).mockReturnValue(0.999);
    await pass(5 * MINUTE);
    expect(file.reads).toBe(3);
    await pass(4.5 * MINUTE + 1_000);
    expect(file.reads).toBe(4);
    source.stop();
  });

  test('waits twice as long after each failure, never longer than the interval, and starts afresh', async () => {
    const { source, file } = setUp({ refresh: 10_000 });
    file.text = undefined;
    await source.start();
    for (const pause of [1_000, 2_000, 4_000, 8_000, 10_000, 10_000]) {
      const before = file.reads;
      await pass(pause - 1);
      expect(file.reads).toBe(before);
      await pass(1);
      expect(file.reads).toBe(before + 1);
    }
    file.text = jwks(key);
    await pass(10_000);
    file.text = undefined;
    await pass(10_000);
    const before = file.reads;
    await pass(1_000);
    expect(file.reads).toBe(before + 1);
    source.stop();
  });

  test('goes on after a stop no more, not even from a fetch that was under way', async () => {
    const { source, file, ids } = setUp();
    let release = () => {};
    file.hold = new Promise((resolve) => (release = resolve));
    const started = source.start();
    source.stop();
    release();
    await started;
    expect(ids()).toEqual(['k1']);
    expect(jest.getTimerCount()).toBe(0);
  });
});

describe('the last good keys', () => {
  test.each([
    [undefined, '/keys.json cannot be read (ENOENT)'],
    ['{"keys":[]', 'not JSON'],
    ['{"secret":"s3cret"}', 'not a JWK Set'],
  ])('stay whole after %j', async (text, lastError) => {
    const { source, file } = setUp();
    await source.start();
    const before = source.current();
    file.text = text;
    await pass(5 * MINUTE);
    expect(source.current()).toBe(before);
    expect(source.status()).toEqual({ issuer: ISSUER, keys: 1, stale: false, lastSuccess: NOW, lastError });
    // Nor does what failed once count as read.
    await pass(1_000);
    expect(source.status()).toMatchObject({ lastSuccess: NOW, lastError });
    file.text = jwks(key);
    await pass(2_000);
    expect(source.current()).toBe(before);
    expect(source.status()).not.toHaveProperty('lastError');
    source.stop();
  });

  test('trap 53: with the JWKS down they serve within the staleness bound, and the status says so', async () => {
    const { source, file, ids } = setUp();
    await source.start();
    file.text = undefined;
    await pass(65 * MINUTE);
    expect(ids()).toEqual(['k1']);
    expect(source.status()).toMatchObject({ stale: false, lastSuccess: NOW, lastError: expect.any(String) });
    await pass(1);
    expect(source.current()).toBeUndefined();
    expect(source.status()).toMatchObject({ stale: true, keys: 1 });
    source.stop();
  });

  test('that are an empty set leave no key, and are no failure', async () => {
    const { source, file, ids } = setUp();
    await source.start();
    file.text = '{"keys":[]}';
    await pass(5 * MINUTE);
    expect(ids()).toEqual([]);
    expect(source.status()).toEqual({
      issuer: ISSUER,
      keys: 0,
      stale: false,
      lastSuccess: NOW + 5 * MINUTE,
    });
    source.stop();
  });
});

describe('a demand', () => {
  test('trap 52: fetches at most once in a cool-down, however many ask', async () => {
    const { source, file, ids } = setUp();
    await source.start();
    file.text = jwks(key, next);
    await Promise.all(Array.from({ length: 100 }, () => source.demand()));
    expect([file.reads, ids()]).toEqual([2, ['k1', 'k2']]);
    await pass(29_999);
    await Promise.all(Array.from({ length: 100 }, () => source.demand()));
    expect(file.reads).toBe(2);
    await pass(1);
    await Promise.all(Array.from({ length: 100 }, () => source.demand()));
    expect(file.reads).toBe(3);
    source.stop();
  });

  test('trap 52: has its cool-down after a failure as well, and never rejects', async () => {
    const { source, file } = setUp();
    file.text = undefined;
    await expect(source.demand()).resolves.toBeUndefined();
    await source.demand();
    expect(file.reads).toBe(1);
    expect(source.status()).toMatchObject({ stale: true, lastError: '/keys.json cannot be read (ENOENT)' });
  });

  test('waits for the fetch that is under way instead of beginning another', async () => {
    const { source, file, ids } = setUp();
    let release = () => {};
    file.hold = new Promise((resolve) => (release = resolve));
    const started = source.start();
    const demanded = source.demand();
    release();
    await demanded;
    expect([file.reads, ids()]).toEqual([1, ['k1']]);
    await started;
    source.stop();
  });

  test('waits for the fetch that another demand began', async () => {
    const { source, file, ids } = setUp();
    let release = () => {};
    file.hold = new Promise((resolve) => (release = resolve));
    const first = source.demand();
    const second = source.demand().then(ids);
    release();
    expect(await second).toEqual(['k1']);
    await first;
    expect(file.reads).toBe(1);
  });

  test('has no fetch of the background beside its own', async () => {
    const { source, file } = setUp();
    await source.start();
    let release = () => {};
    file.hold = new Promise((resolve) => (release = resolve));
    const demanded = source.demand();
    await jest.advanceTimersByTimeAsync(5 * MINUTE);
    expect(file.reads).toBe(2);
    release();
    await demanded;
    source.stop();
  });

  test('puts off the next fetch in the background', async () => {
    const { source, file } = setUp();
    await source.start();
    await pass(4 * MINUTE);
    await source.demand();
    await pass(5 * MINUTE - 1);
    expect(file.reads).toBe(2);
    await pass(1);
    expect(file.reads).toBe(3);
    source.stop();
  });
});
