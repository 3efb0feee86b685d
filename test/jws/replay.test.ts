import { createReplayMemory, remoteGuard, type Use } from '../../src/jws/replay.js';

const NOW = Date.UTC(2030, 0, 1);
const MINUTE = 60_000;

function setUp(capacity = 1_000) {
  const clock = { now: NOW };
  const memory = createReplayMemory({ capacity, now: () => clock.now });
  const use = (id: string, overrides: Partial<Use> = {}) =>
    memory.claim({ id, madeAt: clock.now, expiresAt: clock.now + MINUTE, ...overrides });
  return { clock, memory, use };
}

describe('a memory of what was used', () => {
  test('takes each once', () => {
    const { use } = setUp();
    expect([use('a'), use('b'), use('a'), use('b')]).toEqual(['fresh', 'fresh', 'replayed', 'replayed']);
  });

  test('takes one again only when it has expired and gave its room to others', () => {
    const { use, clock } = setUp();
    const first = { madeAt: NOW, expiresAt: NOW + MINUTE };
    expect(use('a', first)).toBe('fresh');
    clock.now += MINUTE - 1;
    expect(use('b')).toBe('fresh');
    expect(use('a', first)).toBe('replayed');
    clock.now += 1;
    expect(use('c')).toBe('fresh');
    expect(use('a', first)).toBe('fresh'); // whoever asks refuses it for its age before it asks
  });

  test('does not vouch for what can have been used before it began', () => {
    const { use } = setUp();
    expect(use('a', { madeAt: NOW - 1 })).toBe('unknown');
    expect(use('a', { madeAt: Number.NaN })).toBe('unknown');
    expect(use('a', { madeAt: NOW })).toBe('fresh');
  });

  test('refuses at its bound rather than forget, until something expires', () => {
    const { use, clock } = setUp(3);
    expect(['a', 'b', 'c', 'd'].map((id) => use(id))).toEqual(['fresh', 'fresh', 'fresh', 'unavailable']);
    expect(use('a')).toBe('replayed');
    clock.now += MINUTE;
    expect(use('d')).toBe('fresh');
  });

  test('a clock that is set back makes nothing fresh again', () => {
    const { use, clock } = setUp();
    clock.now += MINUTE;
    use('a');
    clock.now -= MINUTE;
    expect(use('a')).toBe('replayed');
  });

  test('stays within its bound over many more uses than that', () => {
    const { use, clock } = setUp(100);
    let fresh = 0;
    for (let i = 0; i < 10_000; i++) {
      clock.now += MINUTE / 50;
      if (use(`id-${i}`) === 'fresh') fresh++;
    }
    expect(fresh).toBe(10_000);
  });
});

describe('a guard behind a question', () => {
  const use: Use = { id: 'a', madeAt: NOW, expiresAt: NOW + MINUTE };

  test('vouches for nothing when the process that answers is gone', async () => {
    expect(await remoteGuard(() => Promise.reject(new Error('gone'))).claim(use)).toBe('unavailable');
    expect(await remoteGuard(() => Promise.resolve('fresh')).claim(use)).toBe('fresh');
    expect(remoteGuard(() => 'replayed').claim(use)).toBe('replayed');
  });
});
