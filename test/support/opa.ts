import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from './cache.js';

const run = promisify(execFile);
const VERSION = '1.22.2';
const folder = cacheFolder(`opa-${VERSION}`);

/** The real `opa`, built once with Go into the cache. Undefined where there is no Go, or it has nothing to build from. */
export const opaBinary: string | undefined = await find();

async function find(): Promise<string | undefined> {
  const binary = join(folder, 'opa');
  if (await runs(binary)) return binary;
  try {
    await mkdir(folder, { recursive: true });
    await run('go', ['install', `github.com/open-policy-agent/opa@v${VERSION}`], {
      env: { ...process.env, GOBIN: folder, GOFLAGS: '-mod=mod', GOOS: '', GOARCH: '' },
      timeout: 900_000,
    });
    return (await runs(binary)) ? binary : undefined;
  } catch {
    return undefined;
  }
}

function runs(binary: string): Promise<boolean> {
  return run(binary, ['version']).then(
    () => true,
    () => false,
  );
}

/** Tests that need the real opa; skipped by name where it can't be had. */
export const describeOpa: jest.Describe = opaBinary === undefined ? describe.skip : describe;

/** Runs it; the exit code and what it wrote, whether it succeeded or not. */
export async function opa(args: readonly string[], cwd: string): Promise<{ code: number; output: string }> {
  try {
    const { stdout, stderr } = await run(opaBinary!, args, { cwd });
    return { code: 0, output: stdout + stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, output: stdout + stderr };
  }
}
