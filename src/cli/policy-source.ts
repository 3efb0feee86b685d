import { readFile, stat } from 'node:fs/promises';
import type { Config } from '../config/schema.js';
import { isRefusal } from '../errors/refusal.js';
import { readBundle } from '../policy/bundle.js';
import { loadPolicy } from '../policy/evaluator.js';
import type { Policy } from '../policy/types.js';
import { compileFolder } from './build.js';
import { Failure } from './failure.js';

/**
 * The policy that a configuration names: a folder of Rego is compiled, a bundle is read.
 *
 * @throws Failure that says what is wrong with it, by file and line where that can be told
 */
export async function loadConfiguredPolicy(config: Config['policy']): Promise<Policy> {
  const entrypoints = [...new Set([config.entrypoint, ...config.entrypoints])];
  const found = await stat(config.path).catch((error: NodeJS.ErrnoException) => {
    throw new Failure(`policy.path: ${config.path} cannot be read (${error.code})`);
  });
  const compiled = found.isDirectory() ? await compileFolder(config.path, entrypoints) : undefined;
  const bundle = await readBundle(compiled?.bundle ?? (await readFile(config.path)));
  if (isRefusal(bundle)) throw new Failure(`policy.path: ${config.path}: ${bundle.detail}`);
  const policy = await loadPolicy({
    bundle,
    entrypoints,
    allowRequestTargetRewrite: config.allow_request_target_rewrite,
    builtinPlaces: new Map(
      compiled?.builtins.map(({ name, locations }) => [
        name,
        locations.map(({ file, row, col }) => `${file}:${row}:${col}`),
      ]),
    ),
  });
  if (isRefusal(policy)) throw new Failure(`policy.path: ${config.path}: ${policy.detail}`);
  return policy;
}
