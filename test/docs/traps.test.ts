import { readdir, readFile } from 'node:fs/promises';

const TESTS = new URL('..', import.meta.url);

describe('the 102 inputs that break a naive engine', () => {
  test('each one has a test that bears its number', async () => {
    const covered = new Set<number>();
    for (const file of await readdir(TESTS, { recursive: true })) {
      if (!file.endsWith('.test.ts')) continue;
      const text = await readFile(new URL(file, TESTS), 'utf8');
      for (const [, number] of text.matchAll(/['"`]trap (\d+): /g)) covered.add(Number(number));
    }
    const all = Array.from({ length: 102 }, (_, index) => index + 1);
    const missing = all.filter((trap) => !covered.has(trap));
    expect(missing).toEqual([]);
  });
});
