import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cacheFolder } from '../support/cache.js';

const run = promisify(execFile);

/** Why something of OPA's cannot be had on this machine. */
export interface Missing {
  readonly missing: string;
}

const SOURCES = fileURLToPath(new URL('./opa', import.meta.url));
/** What the program shares with the compiler that ships. */
const SHARED = fileURLToPath(new URL('../../src/rego/opa/hosted', import.meta.url));
const OPA = 'github.com/open-policy-agent/opa';

/** The Go programs beside this file, built into the cache: Go is slow to find out that nothing changed. */
export async function goProgram(): Promise<{ readonly program: string; readonly hash: string } | Missing> {
  const hash = createHash('sha256');
  for (const folder of [SOURCES, SHARED])
    for (const name of (await readdir(folder)).sort()) hash.update(await readFile(join(folder, name)));
  const digest = hash.digest('hex').slice(0, 16);
  const program = join(cacheFolder('conformance'), digest, 'opa');
  if (existsSync(program)) return { program, hash: digest };
  const failure = await go(['build', '-o', program, '.']);
  return typeof failure === 'string' ? { program, hash: digest } : failure;
}

/** The folder that OPA's module is unpacked in, by the ordinary client of Go's modules. */
export async function opaModule(): Promise<string | Missing> {
  const version = new RegExp(`${OPA} (v\\S+)`).exec(await readFile(join(SOURCES, 'go.mod'), 'utf8'))![1]!;
  const answer = await go(['mod', 'download', '-json', `${OPA}@${version}`]);
  return typeof answer === 'string' ? (JSON.parse(answer) as { Dir: string }).Dir : answer;
}

async function go(args: readonly string[]): Promise<string | Missing> {
  try {
    const { stdout } = await run('go', args, { cwd: SOURCES, maxBuffer: 1 << 24 });
    return stdout;
  } catch (error) {
    const { code, message, stderr } = error as Error & { code?: unknown; stderr?: string };
    if (code === 'ENOENT') return { missing: 'Go is not installed' };
    return { missing: `go ${args[0]} failed: ${(stderr || message).trim().split('\n').slice(-3).join(' ')}` };
  }
}

/** A folder that is there whole or not at all, whoever else may be making it. */
export async function madeOnce(folder: string, make: (empty: string) => Promise<unknown>): Promise<string> {
  if (existsSync(folder)) return folder;
  const draft = `${folder}.${randomUUID()}`;
  await mkdir(draft, { recursive: true });
  try {
    await make(draft);
    await rename(draft, folder);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
  return folder;
}

export { run };
