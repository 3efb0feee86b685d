import { isRefusal, type Refusal } from '../../errors/refusal.js';
import { HOST_BUILTINS } from '../../policy/builtins/index.js';
import { readBundle } from '../../policy/bundle.js';
import type { BundleCode } from '../../policy/bundle-refusal.js';
import { loadPolicy } from '../../policy/evaluator.js';
import { parseValue } from '../../policy/text.js';
import type { Policy } from '../../policy/types.js';
import type { RegoObject } from '../../policy/value.js';
import { type RegoValue } from '../../policy/value.js';
import { PolicyInstance } from '../../policy/wasm/instance.js';
import { compilePolicy } from '../../policy/wasm/module.js';
import { stringifyExact } from '../../json/exact.js';
import type { CompiledRego } from '../../rego/compiler.js';

/** A policy as the server has it, which answers with plain values besides. */
export interface WasmPolicy {
  readonly policy: Policy;
  /**
   * @param input JSON text; undefined for none
   * @param now milliseconds since the epoch
   */
  value(entrypoint: string, input: string | undefined, now: number): WasmOutcome;
}

/** What an entrypoint came to in Wasm. */
export type WasmOutcome =
  | { readonly value: RegoValue }
  | { readonly undefined: true }
  /** Told in the evaluator's own words. */
  | { readonly error: string };

const MEMORY = { initial: 64, maximum: 4096 };

/** Loads compiled Rego into the evaluator that serves, which refuses what the server would refuse. */
export async function loadWasm(
  compiled: CompiledRego,
  entrypoints: readonly string[],
  allowRequestTargetRewrite: boolean,
): Promise<WasmPolicy | Refusal<BundleCode | 'policy_unavailable'>> {
  const bundle = await readBundle(compiled.bundle);
  if (isRefusal(bundle)) return bundle;
  const policy = await loadPolicy({
    bundle,
    entrypoints,
    allowRequestTargetRewrite,
    builtinPlaces: new Map(
      compiled.builtins.map(({ name, locations }) => [
        name,
        locations.map(({ file, row, col }) => `${file}:${row}:${col}`),
      ]),
    ),
  });
  if (isRefusal(policy)) return policy;
  const module = await compilePolicy(bundle.wasm);
  return {
    policy,
    value(entrypoint, input, now) {
      try {
        const instance = new PolicyInstance(module, MEMORY, HOST_BUILTINS);
        instance.parse(stringifyExact(bundle.data));
        const options = { now: BigInt(Math.trunc(now)) * 1_000_000n };
        const results = parseValue(instance.evaluate(entrypoint, input, options));
        const [first] = results as Iterable<RegoValue>;
        if (first === undefined) return { undefined: true };
        return { value: (first as RegoObject).get('result')! };
      } catch (error) {
        return { error: error instanceof Error ? error.message : 'unknown failure' };
      }
    },
  };
}
