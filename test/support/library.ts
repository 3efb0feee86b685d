import { fileURLToPath } from 'node:url';
import { isRefusal } from '../../src/errors/refusal.js';
import { readBundle } from '../../src/policy/bundle.js';
import { loadPolicy } from '../../src/policy/evaluator.js';
import type { Policy } from '../../src/policy/types.js';
import { compileRego } from '../../src/rego/compiler.js';
import type { RegoSource } from '../../src/rego/source.js';
import { readRegoFolder } from '../../src/rego/folder.js';

const POLICIES = fileURLToPath(new URL('../../policies', import.meta.url));

/** All that is shipped under policies/, tests aside. */
export async function shippedSources(): Promise<readonly RegoSource[]> {
  const sources = await readRegoFolder(POLICIES);
  if (isRefusal(sources)) throw new Error(sources.detail);
  return sources;
}

/** The library, `data.countersign.*`. */
export async function librarySources(): Promise<readonly RegoSource[]> {
  return (await shippedSources()).filter(({ path }) => path.startsWith('lib/'));
}

/** Compiles these to Wasm, and loads them as the server does. */
export async function policyFrom(
  sources: readonly RegoSource[],
  entrypoints: readonly string[],
): Promise<Policy> {
  const compiled = await compileRego(sources, { entrypoints: [...entrypoints] });
  if (isRefusal(compiled)) throw new Error(compiled.detail);
  const bundle = await readBundle(compiled.bundle);
  if (isRefusal(bundle)) throw new Error(bundle.detail);
  const policy = await loadPolicy({ bundle, entrypoints: [...entrypoints] });
  if (isRefusal(policy)) throw new Error(policy.detail);
  return policy;
}
