import { jest } from '@jest/globals';
import { createWatch } from '../../src/policy/watch.js';

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

function setUp(options: { slow?: boolean } = {}) {
  const state = { print: '1', changes: 0, hint: () => {}, closed: 0, release: () => {} };
  const watch = createWatch({
    fingerprint: async () => state.print,
    changed: async () => {
      state.changes++;
      if (options.slow) await new Promise<void>((resolve) => (state.release = resolve));
    },
    hints: (onHint) => {
      state.hint = onHint;
      return { close: () => state.closed++ };
    },
    poll: 500,
    settle: 60,
  });
  return { state, watch };
}

describe('what others write', () => {
  test('is read again shortly after the system told of it', async () => {
    const { state, watch } = setUp();
    await watch.start();
    state.print = '2';
    state.hint();
    await jest.advanceTimersByTimeAsync(70);
    expect(state.changes).toBe(1);
    watch.stop();
  });

  test('is noticed where the system tells nothing', async () => {
    const { state, watch } = setUp();
    await watch.start();
    state.print = '2';
    await jest.advanceTimersByTimeAsync(600);
    expect(state.changes).toBe(1);
    await jest.advanceTimersByTimeAsync(5_000);
    expect(state.changes).toBe(1);
    watch.stop();
  });

  test('is looked at less often where a look takes long', async () => {
    let looks = 0;
    const watch = createWatch({
      fingerprint: async () => {
        looks++;
        await new Promise((resolve) => setTimeout(resolve, 100));
        return '1';
      },
      changed: () => Promise.resolve(),
      hints: () => ({ close: () => undefined }),
      poll: 500,
    });
    const started = watch.start();
    await jest.advanceTimersByTimeAsync(100);
    await started;
    await jest.advanceTimersByTimeAsync(10_000);
    // One at the start, one after the usual pause, and then every 2.1 seconds.
    expect(looks).toBe(6);
    watch.stop();
  });

  test('is not read for a hint without a change', async () => {
    const { state, watch } = setUp();
    await watch.start();
    for (let i = 0; i < 20; i++) state.hint();
    await jest.advanceTimersByTimeAsync(2_000);
    expect(state.changes).toBe(0);
    watch.stop();
  });

  test('counts once it has settled, as one change', async () => {
    const { state, watch } = setUp();
    await watch.start();
    for (let i = 2; i < 6; i++) {
      state.print = String(i);
      state.hint();
      await jest.advanceTimersByTimeAsync(40);
    }
    expect(state.changes).toBe(0);
    await jest.advanceTimersByTimeAsync(130);
    expect(state.changes).toBe(1);
    watch.stop();
  });

  test('that never settles is read all the same', async () => {
    const { state, watch } = setUp();
    await watch.start();
    const writing = setInterval(() => (state.print = `${state.print}x`), 10);
    await jest.advanceTimersByTimeAsync(2_000);
    clearInterval(writing);
    expect(state.changes).toBeGreaterThan(0);
    watch.stop();
  });

  test('and changes again while it is read, is read again afterwards, never twice at a time', async () => {
    const { state, watch } = setUp({ slow: true });
    await watch.start();
    state.print = '2';
    state.hint();
    await jest.advanceTimersByTimeAsync(100);
    state.print = '3';
    state.hint();
    await jest.advanceTimersByTimeAsync(3_000);
    expect(state.changes).toBe(1);
    state.release();
    await jest.advanceTimersByTimeAsync(100);
    expect(state.changes).toBe(2);
    watch.stop();
    state.release();
  });

  test('is read at once when somebody asks for it, changed or not', async () => {
    const { state, watch } = setUp();
    await watch.start();
    await watch.force();
    expect(state.changes).toBe(1);
    watch.stop();
    await jest.advanceTimersByTimeAsync(5_000);
    expect(state.changes).toBe(1);
    expect(state.closed).toBeGreaterThan(0);
  });
});
