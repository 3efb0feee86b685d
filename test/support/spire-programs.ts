import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { constants, setPriority, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { cacheFolder } from './cache.js';

const run = promisify(execFile);

const VERSION = '1.13.3';
const PROGRAMS = ['spire-server', 'spire-agent'] as const;
export type SpireProgram = (typeof PROGRAMS)[number];
const packageOf = (program: string) => `github.com/spiffe/spire/cmd/${program}`;
const BUILD_TIMEOUT_MS = 15 * 60_000;

/**
 * A real SPIRE, server and agent: built once with Go into the cache, which takes minutes. Where it can't be had,
 * `describeSpire` skips its tests under a name that says so.
 */
async function obtainSpire(): Promise<{ folder: string } | { missing: string }> {
  const folder = cacheFolder(`spire-${VERSION}-agent`);
  const isThere = () => PROGRAMS.every((program) => existsSync(join(folder, program)));
  if (isThere()) return { folder };
  // Its SQLite is C.
  for (const tool of ['go', 'gcc']) {
    const found = await run(tool, tool === 'go' ? ['version'] : ['--version']).catch(() => undefined);
    if (found === undefined) return { missing: `there is no ${tool} on PATH to build it with` };
  }
  const building = `${folder}.building`;
  // It takes the whole machine for minutes: whoever comes second waits for the first.
  while (!(await begin(building))) {
    await sleep(1_000);
    if (isThere()) return { folder };
  }
  const staging = join(building, 'programs');
  try {
    if (isThere()) return { folder };
    await build(staging);
    await rename(staging, folder);
    return { folder };
  } catch (error) {
    return { missing: `go build failed: ${(error as Error).message.split('\n')[0]}` };
  } finally {
    await rm(building, { recursive: true, force: true });
  }
}

/** Makes the folder for this process alone; false where another one has it. What a dead one left is cleared away. */
async function begin(building: string): Promise<boolean> {
  await mkdir(dirname(building), { recursive: true });
  const mine = `${building}.${process.pid}`;
  await mkdir(mine);
  await writeFile(join(mine, 'pid'), String(process.pid));
  try {
    // A folder that holds something is never replaced.
    await rename(mine, building);
    return true;
  } catch {
    await rm(mine, { recursive: true });
  }
  const owner = Number(await readFile(join(building, 'pid'), 'utf8').catch(() => ''));
  if (owner > 0 && !isAlive(owner)) await rm(building, { recursive: true, force: true });
  return false;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Replace directives in SPIRE's go.mod rule out `go install`; a module that requires it may build it. */
async function build(folder: string): Promise<void> {
  const module = await mkdtemp(join(tmpdir(), 'spire-build-'));
  const env = { ...process.env, GOFLAGS: '-mod=mod', CGO_ENABLED: '1' };
  const go = async (...args: string[]) => {
    const building = run('go', args, { cwd: module, env, timeout: BUILD_TIMEOUT_MS });
    // The tests that run beside it have deadlines of their own.
    setPriority(building.child.pid!, constants.priority.PRIORITY_LOW);
    await building;
  };
  try {
    await writeFile(join(module, 'go.mod'), 'module spire-build\n');
    await go('get', ...PROGRAMS.map((program) => `${packageOf(program)}@v${VERSION}`));
    for (const program of PROGRAMS)
      await go('build', '-trimpath', '-ldflags=-s -w', '-o', join(folder, program), packageOf(program));
  } finally {
    await rm(module, { recursive: true, force: true });
  }
}

const obtained = await obtainSpire();

/** Why there is no SPIRE; absent where there is one. */
export const whySpireIsMissing = 'missing' in obtained ? obtained.missing : undefined;

/** Path of the binary. @throws Error where there is none */
export function spireProgram(program: SpireProgram): string {
  if ('missing' in obtained) throw new Error(obtained.missing);
  return join(obtained.folder, program);
}
