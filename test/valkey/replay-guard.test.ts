import { createStoreReplayGuard } from '../../src/valkey/replay-guard.js';
import { createValkeyLink, type ValkeyLink } from '../../src/valkey/link.js';
import { describeValkey, Valkey } from '../support/real-valkey.js';

const now = () => Date.now();

describeValkey('used proofs in a real Valkey', () => {
  let valkey: Valkey;
  let links: ValkeyLink[];
  beforeAll(async () => {
    valkey = await Valkey.start();
  }, 300_000);
  beforeEach(() => {
    links = [];
  });
  afterEach(() => links.forEach((link) => link.close()));
  afterAll(() => valkey?.close());

  const guard = (prefix: string) => {
    const link = createValkeyLink({ url: valkey.url });
    links.push(link);
    return createStoreReplayGuard({ link, prefix, now });
  };
  const use = (id: string, life = 60_000) => ({ id, madeAt: now() + 1_000, expiresAt: now() + life });

  test('trap 75: a proof that one replica took is replayed at every other', async () => {
    const [a, b] = [guard('p'), guard('p')];
    expect(await a.claim(use('x'))).toBe('fresh');
    expect([await a.claim(use('x')), await b.claim(use('x'))]).toEqual(['replayed', 'replayed']);
    expect(await b.claim(use('y'))).toBe('fresh');
    expect(await guard('q').claim(use('x'))).toBe('fresh');
  });

  test('of many that ask at once, one alone gets it', async () => {
    const guards = [guard('p'), guard('p'), guard('p')];
    const claims = await Promise.all(Array.from({ length: 60 }, (_, i) => guards[i % 3]!.claim(use('race'))));
    expect(claims.filter((claim) => claim === 'fresh')).toHaveLength(1);
    expect(claims.filter((claim) => claim === 'replayed')).toHaveLength(59);
  });

  test('a proof is forgotten once it is refused for its age', async () => {
    const a = guard('p');
    expect(await a.claim(use('short', 200))).toBe('fresh');
    await new Promise((resolve) => setTimeout(resolve, 350));
    expect(await a.claim(use('short', 200))).toBe('fresh');
  });

  test('what was made before the store remembers anything is unknown, after it lost all as well', async () => {
    const a = guard('fresh-store');
    const old = { ...use('old'), madeAt: now() - 30_000 };
    expect(await a.claim(old)).toBe('unknown');
    expect(await a.claim(old)).toBe('replayed');
    const used = use('used');
    expect(await a.claim(used)).toBe('fresh');
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    await links[0]!.ask((client) => client.flushAll());
    expect(await a.claim(used)).toBe('unknown');
  });

  test('nothing is fresh while the store is gone, stands still or has no room; and again once it is well', async () => {
    const a = guard('p');
    expect(await a.claim(use('1'))).toBe('fresh');
    valkey.pause();
    const asked = performance.now();
    expect(await a.claim(use('2'))).toBe('unavailable');
    expect(performance.now() - asked).toBeLessThan(1_500);
    valkey.resume();
    await valkey.kill();
    expect(await a.claim(use('3'))).toBe('unavailable');
    await valkey.restart();
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(await a.claim(use('1'))).toBe('replayed');
    expect(await a.claim(use('4'))).toBe('fresh');
    await links[0]!.ask((client) => client.sendCommand(['CONFIG', 'SET', 'maxmemory', '1']));
    expect(await a.claim(use('5'))).toBe('unavailable');
    await links[0]!.ask((client) => client.sendCommand(['CONFIG', 'SET', 'maxmemory', '0']));
    expect(await a.claim({ ...use('6'), madeAt: Number.NaN })).toBe('unavailable');
  }, 60_000);
});
