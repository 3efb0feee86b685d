import { jest } from '@jest/globals';
import { createKeySource, type KeySourceOptions } from '../../src/token/key-source.js';
import { createTokenVerifier } from '../../src/token/verifier.js';
import { isRefusal } from '../../src/errors/refusal.js';
import { ISSUER, jwks, NOW, TestKey, trust } from './support.js';

const key = await TestKey.create('k1');
const second = await TestKey.create('k2');

const sources: { stop(): void }[] = [];
// What is not a timer goes on by itself: fetched keys are read with WebCrypto, on real threads.
beforeEach(() => jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] }));
afterEach(() => {
  for (const source of sources.splice(0)) source.stop();
  jest.useRealTimers();
});

/** A source whose outside world answers by URL or path; what is not there cannot be reached. */
function setUp(location = `${ISSUER}/jwks`, overrides: Partial<KeySourceOptions> = {}) {
  const clock = { now: NOW };
  const web = new Map<string, (init: RequestInit) => Response | Promise<Response>>();
  const files = new Map<string, string>();
  const asked: string[] = [];
  const source = createKeySource({
    issuer: ISSUER,
    location,
    refresh: 300_000,
    cooldown: 30_000,
    maxStale: 3_600_000,
    now: () => clock.now,
    fetch: async (url, init) => {
      asked.push(String(url));
      const answer = web.get(String(url));
      if (answer === undefined) throw new TypeError('fetch failed');
      return answer(init!);
    },
    readFile: async (path) => {
      asked.push(path);
      if (!files.has(path)) throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
      return files.get(path)!;
    },
    ...overrides,
  });
  sources.push(source);
  return {
    source,
    clock,
    asked,
    publish: (url: string, text: string, init?: ResponseInit) => web.set(url, () => new Response(text, init)),
    answer: (url: string, how: (init: RequestInit) => Response | Promise<Response>) => web.set(url, how),
    vanish: (url: string) => web.delete(url),
    files,
    keyIds: () => source.current()?.keys.map(({ keyId }) => keyId),
    /** Time passes, for timers and clock alike. */
    async pass(milliseconds: number) {
      clock.now += milliseconds;
      await jest.advanceTimersByTimeAsync(milliseconds);
      // A running source has a timer whenever it is done with what the last one started.
      const settled = (turn: number) => turn > 20 && (jest.getTimerCount() > 0 || turn > 10_000);
      for (let turn = 0; !settled(turn); turn++) await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

const URL_OF_KEYS = `${ISSUER}/jwks`;

describe('the keys of an issuer', () => {
  test('come from a URL, and are refreshed in the background', async () => {
    const { source, publish, keyIds, pass, asked } = setUp();
    publish(URL_OF_KEYS, jwks(key));
    expect(source.current()).toBeUndefined();
    await source.start();
    const first = source.current();
    expect(keyIds()).toEqual(['k1']);
    await pass(300_000);
    expect(asked).toHaveLength(2);
    // The same text is the same object: whatever was remembered with it stays good.
    expect(source.current()).toBe(first);
    publish(URL_OF_KEYS, jwks(key, second));
    await pass(300_000);
    expect(keyIds()).toEqual(['k1', 'k2']);
    source.stop();
    await pass(3_000_000);
    expect(asked).toHaveLength(3);
  });

  test('come from a file', async () => {
    const { source, files, keyIds, pass } = setUp('/etc/jwks.json');
    await source.start();
    expect(source.status()).toMatchObject({
      stale: true,
      keys: 0,
      lastError: '/etc/jwks.json cannot be read (ENOENT)',
    });
    files.set('/etc/jwks.json', jwks(key));
    await pass(1_000);
    expect(keyIds()).toEqual(['k1']);
    expect(source.status()).toEqual({ issuer: ISSUER, keys: 1, stale: false, lastSuccess: NOW + 1_000 });
  });

  test('trap 52: a flood of unknown kids causes one refresh in each cool-down, and no storm', async () => {
    const { source, publish, clock, asked, pass } = setUp();
    publish(URL_OF_KEYS, jwks(key));
    await source.start();
    const verifier = createTokenVerifier({
      issuers: [trust(source)],
      maxBytes: 8192,
      now: () => clock.now,
    });
    const flood = async (name: string) => {
      const tokens = await Promise.all(
        Array.from({ length: 50 }, (_, n) => key.token({}, { kid: `${name}-${n}` })),
      );
      const answers = await Promise.all(
        tokens.map((token) => verifier.verify({ authorization: [`Bearer ${token}`], now: clock.now })),
      );
      for (const answer of answers) expect(isRefusal(answer) && answer.code).toBe('token_key_unknown');
    };
    await flood('a');
    expect(asked).toHaveLength(2);
    await flood('b');
    await pass(29_999);
    await flood('c');
    expect(asked).toHaveLength(2);
    await pass(1);
    await flood('d');
    expect(asked).toHaveLength(3);
  });

  test('trap 53: serve on while the endpoint is down, say so, and end with the staleness bound', async () => {
    const { source, publish, vanish, keyIds, pass } = setUp();
    publish(URL_OF_KEYS, jwks(key));
    await source.start();
    vanish(URL_OF_KEYS);
    await pass(300_000);
    expect(keyIds()).toEqual(['k1']);
    expect(source.status()).toEqual({
      issuer: ISSUER,
      keys: 1,
      stale: false,
      lastSuccess: NOW,
      lastError: `${URL_OF_KEYS} cannot be reached`,
    });
    await pass(3_600_000);
    expect(keyIds()).toEqual(['k1']);
    await pass(1);
    expect(keyIds()).toBeUndefined();
    expect(source.status().stale).toBe(true);
    publish(URL_OF_KEYS, jwks(second));
    await pass(300_000);
    expect(keyIds()).toEqual(['k2']);
    expect(source.status()).not.toHaveProperty('lastError');
  });

  test('are asked for again with growing pauses after a failure', async () => {
    const { source, asked, pass } = setUp();
    await source.start();
    const counts: number[] = [];
    for (let second = 0; second < 16; second++) {
      await pass(1_000);
      counts.push(asked.length);
    }
    // After 1, 2, 4 and 8 seconds, each up to a tenth earlier.
    expect(counts[0]).toBe(2);
    expect(counts[2]).toBe(3);
    expect(counts[6]).toBe(4);
    expect(counts[14]).toBe(5);
  });

  test('are fetched once for all who demand them together', async () => {
    const { source, publish, asked } = setUp();
    publish(URL_OF_KEYS, jwks(key));
    await Promise.all([source.demand(), source.demand(), source.demand()]);
    expect(asked).toHaveLength(1);
    await source.demand();
    expect(asked).toHaveLength(1);
  });
});

describe('an endpoint that answers something else', () => {
  const SECRET = 'c2VjcmV0';

  /** The error after such an answer; the keys that were there before must still be there. */
  async function errorAfter(
    answer: (init: RequestInit) => Response | Promise<Response>,
    wait = 0,
  ): Promise<string | undefined> {
    const { source, publish, answer: put, keyIds, pass } = setUp();
    publish(URL_OF_KEYS, jwks(key));
    await source.start();
    put(URL_OF_KEYS, answer);
    await pass(300_000);
    if (wait > 0) await pass(wait);
    expect(keyIds()).toEqual(['k1']);
    return source.status().lastError;
  }

  test.each([
    ['an error', () => new Response(SECRET, { status: 500 }), `${URL_OF_KEYS} answered 500`],
    ['a page', () => new Response(`<html>${SECRET}</html>`), 'not JSON'],
    ['JSON that is no key set', () => new Response(`{"keys":"${SECRET}"}`), 'not a JWK Set'],
    ['an array', () => new Response('[]'), 'not a JWK Set'],
    ['a name twice', () => new Response(`{"keys":[],"keys":[{"k":"${SECRET}"}]}`), 'not JSON'],
    ['nothing', () => new Response(null, { status: 204 }), 'not JSON'],
  ])('(%s) changes nothing, and is told without what it said', async (_what, answer, expected) => {
    const error = await errorAfter(answer);
    expect(error).toBe(expected);
    expect(error).not.toContain(SECRET);
  });

  test('(too much) is cut off', async () => {
    const sent: number[] = [];
    const endless = () => {
      const answer = sent.push(0) - 1;
      return new Response(
        new ReadableStream({
          pull(controller) {
            sent[answer]! += 65_536;
            controller.enqueue(new Uint8Array(65_536).fill(32));
          },
        }),
      );
    };
    expect(await errorAfter(endless)).toMatch(/answered more than 1048576 bytes$/);
    expect(Math.max(...sent)).toBeLessThan(2 * 1024 * 1024);
  });

  test('(after too long) is given up', async () => {
    const never = (init: RequestInit) =>
      new Promise<Response>((_, reject) => {
        init.signal!.addEventListener('abort', () => reject(init.signal!.reason as Error));
      });
    expect(await errorAfter(never, 5_000)).toBe(`${URL_OF_KEYS} gave no answer in time`);
  });

  test('(a redirect) is not followed', async () => {
    const seen: unknown[] = [];
    await errorAfter((init) => {
      seen.push(init.redirect);
      return new Response(jwks(key));
    });
    expect(seen).toEqual(['error']);
  });
});
