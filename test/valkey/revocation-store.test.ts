import { eventually } from '../e2e/eventually.js';
import { createRevocationAuthority } from '../../src/revocation/authority.js';
import { createRevocationCheck } from '../../src/revocation/check.js';
import type { Revocation } from '../../src/revocation/types.js';
import { createValkeyLink } from '../../src/valkey/link.js';
import { createValkeyStore, type ValkeyStoreOptions } from '../../src/valkey/revocation-store.js';
import { entry, frontend, token } from '../revocation/support.js';
import { describeValkey, Valkey } from '../support/real-valkey.js';

const now = () => Date.now();

describeValkey('a list in a real Valkey', () => {
  let valkey: Valkey;
  const closers: (() => unknown)[] = [];
  let prefixes = 0;
  let prefix: string;
  beforeAll(async () => {
    valkey = await Valkey.start();
  }, 300_000);
  beforeEach(() => {
    prefix = `list-${++prefixes}`;
  });
  afterEach(async () => {
    for (const close of closers.splice(0)) await close();
  });
  afterAll(() => valkey?.close());

  /** A replica, without the rest of the server. */
  async function replica(options: Partial<ValkeyStoreOptions> = {}) {
    const store = createValkeyStore({ url: valkey.url, prefix, maxEntries: 1_000, now, ...options });
    const authority = createRevocationAuthority({ store, now, onAudit: () => {} });
    const check = createRevocationCheck({
      shards: authority.shards,
      status: authority.status,
      maxStale: 3_000,
    });
    await authority.status.start();
    closers.push(() => authority.stop());
    const add = (...entries: Revocation[]) => authority.answer({ ask: 'add', entries, from: '' });
    const lift = (id: string) => authority.answer({ ask: 'lift', id, from: '' });
    const refuses = (sub: string) => check.token(token({ sub }), frontend, now()) !== undefined;
    const list = async () => {
      const answer = await authority.answer({ ask: 'list', limit: 1_000 });
      return 'entries' in answer ? answer.entries.map(({ subject }) => subject).sort() : [];
    };
    return { authority, check, add, lift, refuses, list, status: () => authority.status.latest()! };
  }
  const raw = async <T>(question: Parameters<ReturnType<typeof createValkeyLink>['ask']>[0]) => {
    const link = createValkeyLink({ url: valkey.url });
    try {
      return (await link.ask(question)) as T;
    } finally {
      link.close();
    }
  };

  test('what one replica is told another one refuses within a second, and lets in within one', async () => {
    const [a, b] = [await replica(), await replica()];
    const times: number[] = [];
    for (let i = 0; i < 20; i++) {
      const { id } = entry({ subject: `u${i}` });
      await a.add(entry({ subject: `u${i}` }));
      expect(a.refuses(`u${i}`)).toBe(true);
      const told = performance.now();
      await eventually(() => (b.refuses(`u${i}`) ? true : undefined));
      times.push(performance.now() - told);
      await b.lift(id);
      await eventually(() => (a.refuses(`u${i}`) ? undefined : true));
    }
    expect(Math.max(...times)).toBeLessThan(1_000);
  });

  test('replicas that start later, or anew, have the whole list', async () => {
    const a = await replica();
    await a.add(...Array.from({ length: 500 }, (_, i) => entry({ subject: `u${i}` })));
    await a.lift(entry({ subject: 'u7' }).id);
    await a.authority.stop();
    const b = await replica();
    expect((await b.list()).length).toBe(499);
    expect([b.refuses('u6'), b.refuses('u7')]).toEqual([true, false]);
  });

  test('two replicas that extend the same entry at once lose nothing of it', async () => {
    const [a, b] = [await replica(), await replica()];
    const later = now() / 1000 + 3_600;
    const ends = Array.from({ length: 30 }, (_, i) => later + i);
    await Promise.all(ends.map((expires, i) => (i % 2 ? a : b).add(entry({ subject: 'u', expires }))));
    const c = await replica();
    expect(await c.authority.answer({ ask: 'list', limit: 1 })).toMatchObject({
      entries: [{ expires: later + 29 }],
    });
  });

  test('while the store is gone everybody refuses what it knew, for as long as it may, and then everything', async () => {
    const [a, b] = [await replica(), await replica()];
    await a.add(entry({ subject: 'before' }));
    await eventually(() => (b.refuses('before') ? true : undefined));
    await valkey.kill();
    const answer = await a.add(entry({ subject: 'meanwhile' }));
    expect(answer).toMatchObject({ failed: 'store_unavailable', detail: expect.stringMatching(/alone/) });
    expect([a.refuses('before'), b.refuses('before'), a.refuses('meanwhile')]).toEqual([true, true, true]);
    await eventually(() => (b.status().unreachableSince !== undefined ? true : undefined));
    expect(b.status().storeError).toMatch(/^the store of revocations: it cannot be reached \(/);
    expect(b.check.identity(frontend, now())).toBeUndefined();
    await eventually(() =>
      b.check.identity(frontend, now())?.code === 'revocation_unavailable' ? true : undefined,
    );
    await valkey.restart();
    await eventually(() =>
      b.check.identity(frontend, now()) === undefined && b.refuses('meanwhile') ? true : undefined,
    );
    expect(b.refuses('before')).toBe(true);
    expect(b.status().storeError).toBeUndefined();
  }, 60_000);

  test('a store that stands still without closing its connections is noticed as well', async () => {
    const a = await replica();
    valkey.pause();
    try {
      await eventually(() => (a.status().unreachableSince !== undefined ? true : undefined));
    } finally {
      valkey.resume();
    }
    await eventually(() => (a.status().unreachableSince === undefined ? true : undefined));
  }, 60_000);

  test('nothing is let in by a replica that starts without the store, until the store is there', async () => {
    await valkey.kill();
    const a = await replica();
    expect(a.check.identity(frontend, now())?.code).toBe('revocation_unavailable');
    expect(a.check.available(now())).toBe(false);
    await valkey.restart();
    await eventually(() => (a.check.identity(frontend, now()) === undefined ? true : undefined));
  }, 60_000);

  test('a store that lost what it held gets it back, and not what was lifted', async () => {
    const [a, b] = [await replica({ resync: 200 }), await replica({ resync: 200 })];
    await a.add(entry({ subject: 'kept' }), entry({ subject: 'lifted' }));
    await eventually(() => (b.refuses('lifted') ? true : undefined));
    await b.lift(entry({ subject: 'lifted' }).id);
    await eventually(() => (a.refuses('lifted') ? undefined : true));
    await raw((client) => client.flushAll());
    await eventually(async () =>
      (await raw((client) => client.hLen(`{${prefix}}:revocations`))) === 1 ? true : undefined,
    );
    expect(await (await replica()).list()).toEqual(['kept']);
    expect([a.refuses('kept'), b.refuses('kept')]).toEqual([true, true]);
  });

  test('a change that was never told is found by reading the whole list', async () => {
    const a = await replica({ resync: 200 });
    const { id: _, ...hidden } = entry({ subject: 'hidden' });
    const id = entry({ subject: 'hidden' }).id;
    await raw((client) => client.hSet(`{${prefix}}:revocations`, id, JSON.stringify({ add: hidden })));
    await eventually(() => (a.refuses('hidden') ? true : undefined));
    expect(await a.lift(id)).toEqual({ lifted: 'yes' });
    // Lifted is a state of its own: without it, this replica would put back what it still knew.
    expect(await raw((client) => client.hGet(`{${prefix}}:revocations`, id))).toMatch(/^\{"lifted":\d+\}$/);
  });

  test('what is said or lifted while the whole list is being read holds, whatever the reading saw', async () => {
    const others = Array.from({ length: 3_000 }, (_, i) => entry({ subject: `other-${i}` }));
    const a = await replica({ resync: 1, maxEntries: 10_000 });
    const b = await replica({ resync: 1, maxEntries: 10_000 });
    await a.add(...others);
    await eventually(() => (b.refuses('other-2999') ? true : undefined));
    for (let i = 0; i < 60; i++) {
      const { id } = entry({ subject: `u${i}` });
      const one = i % 2 ? a : b;
      await one.add(entry({ subject: `u${i}` }));
      // Long enough for readings to begin and end, short enough for some to be under way.
      for (let wait = 0; wait < 5; wait++) {
        expect(one.refuses(`u${i}`)).toBe(true);
        await new Promise((resolve) => setTimeout(resolve, i % 7));
      }
      await one.lift(id);
      for (let wait = 0; wait < 5; wait++) {
        expect(one.refuses(`u${i}`)).toBe(false);
        await new Promise((resolve) => setTimeout(resolve, i % 5));
      }
    }
    await eventually(() => ([a, b].every((one) => one.status().entries === 3_000) ? true : undefined));
  }, 60_000);

  test('a full list takes no more, and never lets one go for another', async () => {
    const a = await replica({ maxEntries: 3 });
    await a.add(entry({ subject: 'a' }), entry({ subject: 'b' }), entry({ subject: 'c' }));
    expect(await a.add(entry({ subject: 'd' }))).toMatchObject({ failed: 'list_full' });
    expect(await a.add(entry({ subject: 'a', reason: 'again' }))).toMatchObject({
      entries: [{ reason: 'again' }],
    });
    expect(await a.list()).toEqual(['a', 'b', 'c']);
  });

  test('what has expired is taken out of the store', async () => {
    const a = await replica({ resync: 100 });
    await a.add(entry({ subject: 'a', expires: now() / 1000 + 0.5 }), entry({ subject: 'b' }));
    await eventually(async () =>
      (await raw((client) => client.hLen(`{${prefix}}:revocations`))) === 1 ? true : undefined,
    );
    expect(await (await replica()).list()).toEqual(['b']);
  });

  test('what this version cannot read is told, and stands in nobody’s way', async () => {
    const a = await replica({ resync: 100 });
    await raw((client) =>
      client.hSet(`{${prefix}}:revocations`, 'x', '{"add":{"colour":"red","source":"admin"}}'),
    );
    await eventually(() =>
      a.status().storeError?.includes('cannot be read by this version') ? true : undefined,
    );
    await a.add(entry({ subject: 'a' }));
    expect(a.refuses('a')).toBe(true);
  });

  test('follows a list of 20,000 without holding up anybody', async () => {
    const big = { maxEntries: 100_000 };
    const [a, b] = [await replica(big), await replica(big)];
    for (let at = 0; at < 20_000; at += 1_000)
      await a.add(...Array.from({ length: 1_000 }, (_, i) => entry({ subject: `u${at + i}` })));
    await eventually(() => (b.status().entries === 20_000 ? true : undefined));
    await a.add(entry({ subject: 'last' }));
    const told = performance.now();
    await eventually(() => (b.refuses('last') ? true : undefined));
    expect(performance.now() - told).toBeLessThan(1_000);
    expect((await replica(big)).status().entries).toBe(20_001);
  }, 60_000);
});

describeValkey('a Valkey with a password', () => {
  let valkey: Valkey;
  beforeAll(async () => {
    valkey = await Valkey.start('--requirepass', 's3cret-password');
  }, 300_000);
  afterAll(() => valkey?.close());

  test('lets in who has it, and the error of who has not does not tell it', async () => {
    const ask = async (password?: string) => {
      const link = createValkeyLink({
        url: valkey.url,
        password: password === undefined ? undefined : async () => password,
      });
      return link
        .ask((client) => client.ping())
        .catch((error: Error) => error.message)
        .finally(() => link.close());
    };
    expect(await ask('s3cret-password')).toBe('PONG');
    expect(await ask('other-password')).toBe('it answered WRONGPASS');
    expect(await ask()).toBe('it answered NOAUTH');
  });
});
