import { jest } from '@jest/globals';
import { refuse, type Refusal } from '../../src/errors/refusal.js';
import { createBundlePoller, type BundleAnswer } from '../../src/policy/bundle-poller.js';
import type { BundleCode } from '../../src/policy/bundle-refusal.js';

const LONG = 'application/vnd.openpolicyagent.bundles';
const bundle = (etag: string, contentType = 'application/gzip') => ({
  status: 200,
  etag,
  contentType,
  body: Buffer.from(etag),
});

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

type Answer = BundleAnswer | Refusal<BundleCode> | Error;

/** Answers with what is in `answers`, the last of which stays. */
function setUp(answers: Answer[], options: { longPolling?: number; took?: number } = {}) {
  const asked: { at: number; headers: { readonly [name: string]: string }; milliseconds: number }[] = [];
  const seen: string[] = [];
  const judge = { updated: (_body: string): Refusal | undefined => undefined };
  const poller = createBundlePoller({
    async get(headers, milliseconds) {
      asked.push({ at: Date.now(), headers, milliseconds });
      if (options.took) await new Promise((resolve) => setTimeout(resolve, options.took));
      const answer = answers.length > 1 ? answers.shift()! : answers[0]!;
      if (answer instanceof Error) throw answer;
      return answer;
    },
    async updated(body) {
      seen.push(`updated ${Buffer.from(body).toString()}`);
      return judge.updated(Buffer.from(body).toString());
    },
    unchanged: () => seen.push('unchanged'),
    failed: ({ code, detail }) => seen.push(`${code} ${detail}`),
    minDelay: 10_000,
    maxDelay: 20_000,
    longPolling: options.longPolling ?? 0,
    timeout: 1_000,
    random: () => 0.5,
    elapsed: () => Date.now(),
  });
  return { poller, asked, seen, judge };
}

describe('a bundle of a service', () => {
  test('is asked for between the least and the most delay, by its ETag', async () => {
    const { poller, asked, seen } = setUp([bundle('"1"'), { status: 304 }]);
    await poller.start();
    await jest.advanceTimersByTimeAsync(15_000);
    expect(seen).toEqual(['updated "1"', 'unchanged']);
    expect(asked[0]!.headers).toMatchObject({ prefer: 'modes=snapshot' });
    expect(asked[0]!.headers).not.toHaveProperty('if-none-match');
    expect(asked[1]!.headers).toMatchObject({ 'if-none-match': '"1"' });
    expect(asked[1]!.at - asked[0]!.at).toBe(15_000);
    poller.stop();
    await jest.advanceTimersByTimeAsync(100_000);
    expect(asked).toHaveLength(2);
  });

  test('that was refused is asked for by the ETag of the one in force', async () => {
    const { poller, asked, judge } = setUp([bundle('"1"'), bundle('"2"'), { status: 304 }]);
    judge.updated = (body) => (body === '"2"' ? refuse('bundle_unsigned', '') : undefined);
    await poller.start();
    await jest.advanceTimersByTimeAsync(30_000);
    expect(asked.map(({ headers }) => headers['if-none-match'])).toEqual([undefined, '"1"', '"1"']);
    poller.stop();
  });

  test('is asked for again ever more slowly while the service fails, and normally after that', async () => {
    const { poller, asked, seen } = setUp([new Error('x cannot be reached (ECONNREFUSED)')]);
    await poller.start();
    await jest.advanceTimersByTimeAsync(60_000);
    const gaps = asked.slice(1).map(({ at }, index) => at - asked[index]!.at);
    expect(gaps).toEqual([375, 750, 1500, 3000, 6000, 12_000, 15_000, 15_000]);
    expect(new Set(seen)).toEqual(new Set(['bundle_unreachable x cannot be reached (ECONNREFUSED)']));
    poller.stop();
  });

  test.each<[string, BundleAnswer, RegExp]>([
    ['500', { status: 500 }, /answered 500$/],
    ['401', { status: 401 }, /answered 401 \(see credentials/],
    ['a redirect', { status: 302 }, /it redirects, which is not followed/],
    ['304 to who has nothing', { status: 304 }, /answered 304 to a request without If-None-Match/],
    ['200 without a body', { status: 200, body: Buffer.alloc(0) }, /answered without a bundle/],
    ['204', { status: 204 }, /answered 204/],
  ])('is not there when the service answers %s', async (_what, answer, detail) => {
    const { poller, seen } = setUp([answer]);
    await poller.start();
    expect(seen).toEqual([expect.stringMatching(detail)]);
    poller.stop();
  });

  test('is held back by a server that does long polling, and asked for again at once', async () => {
    const answers = [
      bundle('"1"', LONG),
      { status: 304 },
      bundle('"2"', `${LONG}; charset=x`),
      { status: 304 },
    ];
    const { poller, asked } = setUp(answers, { longPolling: 30_000, took: 5_000 });
    const first = poller.start();
    await jest.advanceTimersByTimeAsync(21_000);
    await first;
    expect(asked.map(({ headers }) => headers.prefer)).toEqual([
      'modes=snapshot',
      ...Array(asked.length - 1).fill('modes=snapshot;wait=30'),
    ]);
    expect(asked.map(({ milliseconds }) => milliseconds)).toEqual([
      1_000,
      ...Array(asked.length - 1).fill(31_000),
    ]);
    expect(asked[1]!.at - asked[0]!.at).toBeLessThan(5_010);
    expect(asked.length).toBe(5);
    poller.stop();
  });

  test('is not asked for without pause by a server that answers long polls at once', async () => {
    const { poller, asked } = setUp([bundle('"1"', LONG), { status: 304 }], { longPolling: 30_000 });
    await poller.start();
    await jest.advanceTimersByTimeAsync(10_000);
    expect(asked.length).toBeLessThanOrEqual(11);
    poller.stop();
  });

  test('is polled where the server does not offer long polling', async () => {
    const { poller, asked } = setUp([bundle('"1"'), { status: 304 }], { longPolling: 30_000 });
    await poller.start();
    await jest.advanceTimersByTimeAsync(15_000);
    expect(asked.map(({ headers }) => headers.prefer)).toEqual(['modes=snapshot', 'modes=snapshot']);
    poller.stop();
  });

  test('is asked for now when somebody wants it, and goes on from there', async () => {
    const { poller, asked } = setUp([bundle('"1"'), { status: 304 }]);
    await poller.start();
    await poller.force();
    expect(asked).toHaveLength(2);
    await jest.advanceTimersByTimeAsync(15_000);
    expect(asked).toHaveLength(3);
    poller.stop();
  });
});
