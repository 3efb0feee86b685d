import { jest } from '@jest/globals';
import { mintTrustDomain } from '../../src/demo/trust-domain.js';
import { copyingHub } from '../support/copying-hub.js';
import { createBundleStore } from '../../src/identity/bundle-store.js';
import { createBundleFile } from '../../src/spiffe/bundle-file.js';

const one = await mintTrustDomain('one.example');
const other = await mintTrustDomain('other.example');

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(() => {
  jest.useRealTimers();
});

async function setUp() {
  const disk: { [path: string]: string } = { '/one': one.bundlePem, '/other': other.bundlePem };
  const files = [['one.example', '/one'] as const, ['other.example', '/other'] as const].map(
    ([trustDomain, path]) =>
      createBundleFile({
        trustDomain,
        path,
        maxStale: 60_000,
        readFile: async (path) => {
          if (disk[path] === undefined) throw Object.assign(new Error(), { code: 'ENOENT' });
          return disk[path];
        },
        now: () => Date.now(),
        hub: copyingHub,
      }),
  );
  const store = createBundleStore({ sources: files.map(({ source }) => source), now: () => Date.now() });
  for (const feed of files.flatMap(({ feeds }) => feeds)) {
    feed.onChange(() => void store.update());
    await feed.start();
  }
  const stop = () => files.flatMap(({ feeds }) => feeds).forEach((feed) => feed.stop());
  return { disk, store, stop };
}

const look = () => jest.advanceTimersByTimeAsync(5_000);

describe('trust bundles from files', () => {
  test('are read at the start, and within five seconds of each change', async () => {
    const { disk, store, stop } = await setUp();
    const before = store.current();
    expect(before.get('one.example')?.authorities).toHaveLength(1);
    await look();
    expect(store.current()).toBe(before);
    disk['/one'] = (await mintTrustDomain('one.example')).bundlePem;
    await look();
    expect(store.current().get('one.example')).not.toBe(before.get('one.example'));
    expect(store.current().get('other.example')).toBe(before.get('other.example'));
    stop();
  });

  test.each([
    ['is broken', 'not a bundle', '/one: not a trust bundle'],
    ['is gone', undefined, '/one: cannot be read (ENOENT)'],
  ])('stay as they last were while the file %s, up to their bound', async (_how, text, error) => {
    const { disk, store, stop } = await setUp();
    const { lastSuccess } = store.status()[0]!;
    if (text === undefined) delete disk['/one'];
    else disk['/one'] = text;
    await look();
    expect(store.current().get('one.example')?.authorities).toHaveLength(1);
    expect(store.status()[0]).toMatchObject({ lastSuccess, error: expect.stringContaining(error) });
    expect(store.status()[1]!.lastSuccess).toBeGreaterThan(lastSuccess!);
    expect(store.status()[1]).not.toHaveProperty('error');

    await jest.advanceTimersByTimeAsync(61_000);
    expect(store.current().find('one.example')).toMatchObject({
      code: 'trust_bundle_unavailable',
      detail: expect.stringContaining(error),
    });
    expect(store.current().get('other.example')).toBeDefined();

    disk['/one'] = one.bundlePem;
    await look();
    expect(store.current().get('one.example')).toBeDefined();
    expect(store.status()[0]).not.toHaveProperty('error');
    stop();
  });

  test('of a domain that never had a good one leave that domain alone refused', async () => {
    const { disk, store, stop } = await setUp();
    disk['/other'] = '';
    const file = createBundleFile({
      trustDomain: 'third.example',
      path: '/third',
      maxStale: 60_000,
      readFile: async () => 'nonsense',
      now: () => Date.now(),
      hub: copyingHub,
    });
    await file.feeds[0]!.start();
    expect(file.source.read()).toEqual({ lastError: expect.stringContaining('/third: not a trust bundle') });
    file.feeds[0]!.stop();
    await look();
    expect(store.current().get('one.example')).toBeDefined();
    stop();
  });
});
