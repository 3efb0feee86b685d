import { isRefusal } from '../../src/errors/refusal.js';
import { readBundle, type Bundle } from '../../src/policy/bundle.js';
import { loadPolicy } from '../../src/policy/evaluator.js';
import type { Policy } from '../../src/policy/types.js';
import { compileRego } from '../../src/rego/compiler.js';

export const DECISION = 'test/decision';

/** Compiles rules of `package test`, and data beside them. */
export async function compile(rules: string, data: object = {}, entrypoints = [DECISION]): Promise<Bundle> {
  const compiled = await compileRego(
    [
      { path: 'test.rego', content: `package test\n\n${rules}\n` },
      { path: 'data.json', content: JSON.stringify(data) },
    ],
    { entrypoints },
  );
  if (isRefusal(compiled)) throw new Error(compiled.detail);
  const bundle = await readBundle(compiled.bundle);
  if (isRefusal(bundle)) throw new Error(bundle.detail);
  return bundle;
}

/** Compiles and loads them. */
export async function policyOf(rules: string, data: object = {}): Promise<Policy> {
  const policy = await loadPolicy({ bundle: await compile(rules, data), entrypoints: [DECISION] });
  if (isRefusal(policy)) throw new Error(policy.detail);
  return policy;
}
