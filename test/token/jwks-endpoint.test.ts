import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Decision } from '../../src/decision/decision.js';
import { createKeySource, type KeySource } from '../../src/token/key-source.js';
import { createTokenVerifier } from '../../src/token/verifier.js';
import { facts, pipeline } from '../decision/fakes.js';
import { ISSUER, TestKey, jwks, trust } from './support.js';

/** Milliseconds that a caller waits. */
const DEADLINE = 300;
/** Milliseconds over it that a busy machine may take: far below any timeout that a stall would run into. */
const GRACE = 1_200;
const COOLDOWN = 1_000;

const good = await TestKey.create('good');
const fresh = await TestKey.create('fresh');
const rogue = await TestKey.create('fresh');

const now = () => Math.floor(Date.now() / 1000);
const tokenOf = (key: TestKey, header: object = {}) =>
  key.token({ iat: now(), exp: now() + 300 }, { ...header });

const cleanups: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A server on loopback that does what it is told with each request. */
async function server(answer: RequestListener) {
  const state = { answer, requests: 0 };
  const listening = createServer((request, response) => {
    state.requests++;
    state.answer(request, response);
  });
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  const stop = async () => {
    listening.closeAllConnections();
    await new Promise((resolve) => listening.close(resolve));
  };
  cleanups.push(stop);
  return {
    url: `http://127.0.0.1:${(listening.address() as AddressInfo).port}/keys`,
    stop,
    requests: () => state.requests,
    answering: (by: RequestListener) => void (state.answer = by),
  };
}

const publish =
  (...keys: TestKey[]): RequestListener =>
  (_, response) =>
    void response.end(jwks(...keys));

/** Decisions about tokens of an issuer whose keys are at this URL; they were fetched once. */
async function setUp(url: string, { refresh = 600_000, maxStale = 600_000 } = {}) {
  const keys: KeySource = createKeySource({
    issuer: ISSUER,
    location: url,
    refresh,
    cooldown: COOLDOWN,
    maxStale,
    fetch,
    readFile: () => Promise.reject(new Error('no file is read')),
    now: Date.now,
  });
  cleanups.push(() => keys.stop());
  await keys.start();
  const token = createTokenVerifier({ issuers: [trust(keys)], maxBytes: 8192, now: Date.now });
  const { decide } = pipeline({ token, now: Date.now });
  /** The reason, and that it came in time. */
  const ask = async (jwt: string): Promise<Decision['reason']> => {
    const started = performance.now();
    const decision = await decide(facts({ authorization: [`Bearer ${jwt}`] }), {
      deadline: Date.now() + DEADLINE,
    });
    expect(performance.now() - started).toBeLessThan(DEADLINE + GRACE);
    return decision.reason;
  };
  return { keys, ask };
}

const BAD: readonly [how: string, answer: RequestListener, told: RegExp][] = [
  ['answers with an error', (_, response) => void response.writeHead(500).end(jwks(fresh)), /answered 500/],
  ['hangs up', (request) => void request.socket.destroy(), /cannot be reached/],
  ['says nothing', () => {}, /./],
  ['stops in the middle', (_, response) => void response.write(jwks(fresh).slice(0, 40)), /./],
  ['trickles', trickle, /./],
  [
    'hangs up in the middle',
    (request, response) => response.write('{"keys":[', () => request.socket.destroy()),
    /./,
  ],
  ['answers with a page for people', (_, response) => void response.end('<html>keys</html>'), /not JSON/],
  ['answers with nothing', (_, response) => void response.end(), /not JSON/],
  ['answers with something else', (_, response) => void response.end('{"keys":{}}'), /not a JWK Set/],
  ['repeats a member', (_, response) => void response.end('{"keys":[],"keys":[]}'), /not JSON/],
  ['answers with bytes', (_, response) => void response.end(Buffer.alloc(1000, 0xff)), /not JSON/],
];

function trickle(_: unknown, response: ServerResponse): void {
  const timer = setInterval(() => response.write(' '), 10);
  response.on('close', () => clearInterval(timer));
}

describe('a JWKS endpoint that', () => {
  test.each(BAD)(
    '%s stalls nobody, changes nothing, and is asked once',
    async (_, bad, told) => {
      const endpoint = await server(publish(good));
      const { ask, keys } = await setUp(endpoint.url);
      const known = await tokenOf(good);
      expect(await ask(known)).toBe('allowed');

      endpoint.answering(bad);
      const before = endpoint.requests();
      const started = Date.now();
      // The key that these name is published nowhere yet; who asks for it must not harm those that need none.
      const unknown = await Promise.all(Array.from({ length: 20 }, () => tokenOf(fresh)));
      const [strangers, others] = await Promise.all([
        Promise.all(unknown.map(ask)),
        Promise.all(Array.from({ length: 20 }, () => tokenOf(good).then(ask))),
      ]);
      expect(new Set(others)).toEqual(new Set(['allowed']));
      for (const reason of strangers) expect(['token_key_unknown', 'deadline_exceeded']).toContain(reason);
      expect(endpoint.requests() - before).toBeLessThanOrEqual(
        1 + Math.floor((Date.now() - started) / COOLDOWN),
      );
      expect(keys.status().keys).toBe(1);
      if (told.source !== '.') expect(keys.status().lastError).toMatch(told);

      // Once it is well again, whoever asks after the cool-down gets the new key.
      endpoint.answering(publish(good, fresh));
      await eventually(async () => (await ask(await tokenOf(fresh))) === 'allowed');
      expect(await ask(known)).toBe('allowed');
    },
    30_000,
  );

  test('is down keeps working with the keys it gave, and then no longer', async () => {
    const endpoint = await server(publish(good));
    const { ask, keys } = await setUp(endpoint.url, { refresh: 200, maxStale: 600 });
    const token = await tokenOf(good);
    expect(await ask(token)).toBe('allowed');
    await endpoint.stop();
    expect(await ask(await tokenOf(good))).toBe('allowed');
    await eventually(async () => keys.status().stale);
    for (const later of [token, await tokenOf(good)]) expect(await ask(later)).toBe('token_keys_unavailable');
    expect(keys.status().lastError).toMatch(/cannot be reached \(ECONNREFUSED\)/);
  }, 30_000);

  test('was never there denies without a stall, and is asked no more than the cool-down allows', async () => {
    const endpoint = await server((request) => request.socket.destroy());
    const { ask } = await setUp(endpoint.url);
    const started = Date.now();
    for (let i = 0; i < 50; i++) expect(await ask(await tokenOf(good))).toBe('token_keys_unavailable');
    // One for the start, its retries in the background, and one in each cool-down.
    const elapsed = Date.now() - started;
    expect(endpoint.requests()).toBeLessThanOrEqual(2 + 2 * Math.ceil(elapsed / COOLDOWN));
  });

  test('answers with 100 MB is left after the first one', async () => {
    const endpoint = await server(publish(good));
    const { ask, keys } = await setUp(endpoint.url);
    let sent = 0;
    endpoint.answering((_, response) => {
      const chunk = Buffer.alloc(256 * 1024, 0x20);
      const more = () => {
        while (sent < 100 * 1024 * 1024 && !response.destroyed) {
          sent += chunk.length;
          if (!response.write(chunk)) return void response.once('drain', more);
        }
        response.end();
      };
      more();
    });
    const before = process.memoryUsage().arrayBuffers;
    await ask(await tokenOf(fresh));
    await eventually(async () => keys.status().lastError !== undefined);
    expect(keys.status().lastError).toMatch(/more than 1048576 bytes/);
    // What the kernel's buffers take on their own comes on top.
    expect(sent).toBeLessThan(20 * 1024 * 1024);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50 * 1024 * 1024);
    expect(await ask(await tokenOf(good))).toBe('allowed');
  }, 30_000);

  test.each([301, 302, 303, 307, 308])(
    'redirects (%d) to another host does not choose the keys',
    async (status) => {
      const elsewhere = await server(publish(rogue));
      const endpoint = await server(publish(good));
      const { ask, keys } = await setUp(endpoint.url);
      endpoint.answering((_, response) => void response.writeHead(status, { location: elsewhere.url }).end());
      expect(await ask(await tokenOf(rogue))).toBe('token_key_unknown');
      expect(elsewhere.requests()).toBe(0);
      expect(keys.status().lastError).toMatch(/redirects, which is not followed/);
      expect(await ask(await tokenOf(good))).toBe('allowed');
    },
  );

  test('rotates under load gives no wrong answer', async () => {
    const generations = await Promise.all(Array.from({ length: 6 }, (_, i) => TestKey.create(`g${i}`)));
    const endpoint = await server(publish(generations[0]!));
    const refresh = 200;
    const { ask } = await setUp(endpoint.url, { refresh });
    const started = Date.now();
    const stranger = await TestKey.create('g0');
    let decided = 0;
    for (let i = 1; i < generations.length; i++) {
      const [old, current] = [generations[i - 1]!, generations[i]!];
      const remembered = await tokenOf(old);
      expect(await ask(remembered)).toBe('allowed');
      endpoint.answering(publish(current));
      // Under load until the new key is here, which ends the old one: also for tokens that it vouched for.
      for (let arrived = false; !arrived;) {
        const reasons = await Promise.all(
          Array.from({ length: 20 }, async (_, n) => {
            if (n % 4 === 0)
              return ['stranger', await ask(await tokenOf(stranger, { kid: current.keyId }))] as const;
            if (n % 4 === 1) return ['old', await ask(remembered)] as const;
            return ['current', await ask(await tokenOf(current))] as const;
          }),
        );
        decided += reasons.length;
        for (const [who, reason] of reasons) {
          if (who === 'stranger')
            expect(['token_signature_invalid', 'token_key_unknown', 'deadline_exceeded']).toContain(reason);
          if (who === 'old') expect(['allowed', 'token_key_unknown', 'deadline_exceeded']).toContain(reason);
          if (who === 'current')
            expect(['allowed', 'token_key_unknown', 'deadline_exceeded']).toContain(reason);
        }
        arrived = reasons.filter(([who]) => who === 'current').every(([, reason]) => reason === 'allowed');
      }
      expect(await ask(remembered)).toBe('token_key_unknown');
    }
    const elapsed = Date.now() - started;
    expect(decided).toBeGreaterThanOrEqual(100);
    // In the background, a tenth earlier at most, and by demand once in each cool-down.
    expect(endpoint.requests()).toBeLessThanOrEqual(2 + elapsed / (0.9 * refresh) + elapsed / COOLDOWN);
  }, 60_000);

  test('trap 52: is asked once in each cool-down, however many unknown keys are named', async () => {
    const endpoint = await server(publish(good));
    const { ask } = await setUp(endpoint.url);
    const token = await tokenOf(good);
    const [header, payload, signature] = token.split('.') as [string, string, string];
    const named = (kid: string) => {
      const other = { ...(JSON.parse(Buffer.from(header, 'base64url').toString()) as object), kid };
      return `${Buffer.from(JSON.stringify(other)).toString('base64url')}.${payload}.${signature}`;
    };
    const started = Date.now();
    for (let i = 0; i < 20; i++) {
      const reasons = await Promise.all(Array.from({ length: 100 }, (_, n) => ask(named(`kid-${i}-${n}`))));
      for (const reason of reasons) expect(['token_key_unknown', 'deadline_exceeded']).toContain(reason);
    }
    expect(endpoint.requests()).toBeLessThanOrEqual(2 + Math.floor((Date.now() - started) / COOLDOWN));
    expect(await ask(token)).toBe('allowed');
  }, 30_000);
});

async function eventually(holds: () => Promise<boolean>): Promise<void> {
  const patience = Date.now() + 15_000;
  while (!(await holds())) {
    if (Date.now() > patience) throw new Error('it never came to that');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
