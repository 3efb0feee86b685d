import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const MODULE = 'github.com/C2SP/wycheproof@v0.0.0-20250901140545-b51abcfb8daf';

/** One set of Project Wycheproof's, as it is published; undefined where Go's module client cannot get it. */
export async function wycheproof<T>(name: string): Promise<T | undefined> {
  try {
    const { stdout } = await run('go', ['mod', 'download', '-json', MODULE], {
      cwd: tmpdir(),
      timeout: 120_000,
    });
    const { Dir: folder } = JSON.parse(stdout) as { Dir: string };
    return JSON.parse(await readFile(join(folder, 'testvectors_v1', name), 'utf8')) as T;
  } catch (error) {
    const { code } = error as { code?: unknown };
    // Go is not here, or has no network; anything else is a mistake of ours.
    if (code === 'ENOENT' || code === 1) return undefined;
    throw error;
  }
}
