import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { constants, setPriority, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
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
  const staging = `${folder}.${process.pid}`;
  try {
    await build(staging);
    // Another test file may have built it meanwhile; then its copy serves as well.
    await rename(staging, folder).catch((error) => {
      if (!isThere()) throw error;
    });
    return { folder };
  } catch (error) {
    return { missing: `go build failed: ${(error as Error).message.split('\n')[0]}` };
  } finally {
    await rm(staging, { recursive: true, force: true });
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
    await mkdir(dirname(folder), { recursive: true });
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
