import { readdir, readFile } from 'node:fs/promises';

const TESTS = new URL('..', import.meta.url);

/** Traps whose mechanism is not built yet: SSF. */
const LATER = [86];

describe('the 102 inputs that break a naive engine', () => {
  test('each one that can occur here has a test that bears its number', async () => {
    const covered = new Set<number>();
    for (const file of await readdir(TESTS, { recursive: true })) {
      if (!file.endsWith('.test.ts')) continue;
      const text = await readFile(new URL(file, TESTS), 'utf8');
      for (const [, number] of text.matchAll(/['"`]trap (\d+): /g)) covered.add(Number(number));
    }
    const all = Array.from({ length: 102 }, (_, index) => index + 1);
    const missing = all.filter((trap) => !LATER.includes(trap) && !covered.has(trap));
    expect(missing).toEqual([]);
  });
});
