import { spawn } from 'node:child_process';
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createLogStore } from '../../src/revocation/log-store.js';
import type { StoreSink } from '../../src/revocation/store.js';
import type { Revocation } from '../../src/revocation/types.js';
import { entry, NOW } from './support.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'countersign-log-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** What a store tells. */
class Told implements StoreSink {
  readonly entries = new Map<string, Revocation>();
  readonly failures: (string | undefined)[] = [];
  put(entries: Iterable<Revocation>) {
    for (const one of entries) this.entries.set(one.id, one);
  }
  remove(ids: Iterable<string>) {
    for (const id of ids) this.entries.delete(id);
  }
  replace(entries: ReadonlyMap<string, Revocation>) {
    this.entries.clear();
    this.put(entries.values());
  }
  known = () => this.entries.values();
  reached() {}
  lost() {}
  failing(error: string | undefined) {
    this.failures.push(error);
  }
}

async function opened(options: { maxEntries?: number; now?: () => number; onTorn?: () => void } = {}) {
  const told = new Told();
  const store = createLogStore({ folder, maxEntries: 100, now: () => NOW, ...options });
  await store.start(told);
  return { store, told, subjects: () => [...told.entries.values()].map(({ subject }) => subject).sort() };
}
const log = () => join(folder, 'revocations.log');

describe('the log of revocations', () => {
  test('holds after a restart what it was told, merged, and not what was lifted', async () => {
    const first = await opened();
    await first.store.add(entry({ subject: 'a', expires: NOW / 1000 + 10, reason: 'x' }));
    const merged = await first.store.add(entry({ subject: 'a' }));
    expect(merged).not.toHaveProperty('expires');
    const b = entry({ subject: 'b' });
    await first.store.add(b);
    expect(await first.store.lift(b.id)).toBe(true);
    expect(await first.store.lift(b.id)).toBe(false);
    await first.store.add(entry({ jti: 'c', expires: NOW / 1000 + 5 }, 'signal'));
    await first.store.stop();
    const second = await opened();
    expect([...second.told.entries.values()]).toEqual([
      { ...merged },
      entry({ jti: 'c', expires: NOW / 1000 + 5 }, 'signal'),
    ]);
    await second.store.stop();
    const later = await opened({ now: () => NOW + 5_000 });
    expect(later.subjects()).toEqual(['a']);
    await later.store.stop();
  });

  test('keeps what is revoked anew while it is being lifted', async () => {
    const { store, subjects } = await opened();
    const a = entry({ subject: 'a' });
    await store.add(a);
    const lifting = store.lift(a.id);
    await store.add(entry({ subject: 'a', reason: 'again' }));
    expect(await lifting).toBe(true);
    expect(subjects()).toEqual(['a']);
    await store.stop();
    const later = await opened();
    expect(later.subjects()).toEqual(['a']);
    await later.store.stop();
  });

  test('takes away a last line that a crash cut short, at whatever byte', async () => {
    const { store } = await opened();
    await store.add(entry({ subject: 'kept' }));
    await store.stop();
    const whole = await readFile(log(), 'utf8');
    for (const torn of [
      '{',
      '{"add":{"subject":"torn","source":"adm',
      '{"add":{"subject":"torn","source":"admin"}}',
    ]) {
      await writeFile(log(), whole + torn);
      let noticed = 0;
      const again = await opened({ onTorn: () => noticed++ });
      expect([again.subjects(), noticed]).toEqual([['kept'], 1]);
      await again.store.add(entry({ subject: 'next' }));
      await again.store.stop();
      const last = await opened();
      expect(last.subjects()).toEqual(['kept', 'next']);
      await last.store.stop();
    }
  });

  test('that somebody else wrote into is refused by file and line, and left alone', async () => {
    const { store } = await opened();
    await store.add(entry({ subject: 'a' }));
    await store.stop();
    await appendFile(log(), 'what is this\n');
    await expect(opened()).rejects.toThrow(
      /revocations\.log:2: is no change that this server wrote; restore/,
    );
    expect(await readFile(log(), 'utf8')).toContain('what is this');
  });

  test('is written anew when most of it stands for nothing any more', async () => {
    const { store } = await opened();
    for (let i = 0; i < 10; i++)
      await Promise.all(
        Array.from({ length: 150 }, (_, n) =>
          store.add(entry({ subject: 'a', expires: NOW / 1000 + i * 150 + n + 1 })),
        ),
      );
    await store.stop();
    const lines = (await readFile(log(), 'utf8')).split('\n').length - 1;
    expect(lines).toBeLessThan(1_003);
    const again = await opened();
    expect([...again.told.entries.values()]).toMatchObject([{ subject: 'a', expires: NOW / 1000 + 1500 }]);
    await again.store.stop();
  });

  test('takes no more than it may, and never lets one go for another', async () => {
    const { store, subjects } = await opened({ maxEntries: 2 });
    await store.add(entry({ subject: 'a' }));
    await store.add(entry({ subject: 'b' }));
    await expect(store.add(entry({ subject: 'c' }))).rejects.toMatchObject({ code: 'list_full' });
    await store.add(entry({ subject: 'a', reason: 'again' }));
    expect(subjects()).toEqual(['a', 'b']);
    await store.lift(entry({ subject: 'a' }).id);
    await store.add(entry({ subject: 'c' }));
    expect(subjects()).toEqual(['b', 'c']);
    await store.stop();
  });

  test('that cannot be written says so, while the entry is in force all the same', async () => {
    const { store, told, subjects } = await opened();
    await store.stop(); // its file is closed
    await expect(store.add(entry({ subject: 'a' }))).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(subjects()).toEqual(['a']);
    expect(told.failures.at(-1)).toMatch(/cannot be written/);
  });

  test('has on the disk what it confirmed, when its process is killed', async () => {
    const script = `
      const { createLogStore } = await import(${JSON.stringify(new URL('../../src/revocation/log-store.ts', import.meta.url).href)});
      const { readEntry } = await import(${JSON.stringify(new URL('../../src/revocation/entry.ts', import.meta.url).href)});
      const nothing = () => {};
      const store = createLogStore({ folder: process.argv[1], maxEntries: 1e6, now: Date.now });
      await store.start({ put: nothing, remove: nothing, replace: nothing, known: () => [], reached: nothing, lost: nothing, failing: nothing });
      for (let i = 0; ; i++) {
        await store.add(readEntry({ subject: String(i) }, { source: 'admin', now: 0 }));
        process.stdout.write(i + '\\n');
      }`;
    const loader = fileURLToPath(new URL('../support/typescript.mjs', import.meta.url));
    const child = spawn(process.execPath, ['--import', loader, '--input-type=module', '-e', script, folder], {
      env: { ...process.env, NODE_OPTIONS: '' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let confirmed = '';
    await new Promise<void>((resolve) => {
      child.stdout.on('data', (text) => {
        confirmed += text;
        if (confirmed.split('\n').length > 50) child.kill('SIGKILL');
      });
      child.once('close', () => resolve());
    });
    const numbers = confirmed.split('\n').slice(0, -1);
    const { subjects, store } = await opened({ maxEntries: 1e6 });
    expect(numbers.length).toBeGreaterThan(49);
    expect(subjects()).toEqual(expect.arrayContaining(numbers));
    await store.stop();
  });
});
