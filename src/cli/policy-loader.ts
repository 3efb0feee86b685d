import { createHash } from 'node:crypto';
import type { Config } from '../config/schema.js';
import { isRefusal, type Refusal } from '../errors/refusal.js';
import { stringifyExact } from '../json/exact.js';
import { readBundle, type Bundle } from '../policy/bundle.js';
import { combine, type Combined } from '../policy/combine.js';
import { dataMeetsPackages } from '../policy/data-conflict.js';
import type { PolicyReads } from '../policy/reads.js';
import type { Contents } from '../policy/source.js';
import type { BundleRevisions } from '../policy/types.js';
import { compileRego } from '../rego/compiler.js';
import type { RegoSource } from '../rego/source.js';

/** All that a policy is loaded from. It can be sent to another thread. */
export interface PreparedPolicy extends Bundle {
  readonly bundles: BundleRevisions;
  /** Where the sources call each built-in (`file:row:col`); empty where there are none. */
  readonly builtinPlaces: ReadonlyMap<string, readonly string[]>;
}

/** `policy.entrypoint` and `policy.entrypoints`, each once. */
export function entrypointsOf(policy: Pick<Config['policy'], 'entrypoint' | 'entrypoints'>): string[] {
  return [...new Set([policy.entrypoint, ...policy.entrypoints])];
}

/**
 * Makes what {@link combine} gives ready to be loaded: Rego is compiled, unless it is the Rego of last time. Wasm that
 * did not change is the same object as last time, which is how the evaluator knows that only data did.
 */
export function createPolicyCompiler(
  entrypoints: readonly string[],
): (contents: Contents) => Promise<PreparedPolicy | Refusal> {
  let compiled: Compiled | undefined;
  let wasm: { digest: string; bytes: Uint8Array } | undefined;

  function same(bytes: Uint8Array): Uint8Array {
    const digest = sha256(bytes);
    if (wasm?.digest !== digest) wasm = { digest, bytes };
    return wasm.bytes;
  }

  return async (contents) => {
    const combined = combine(contents, entrypoints);
    if (isRefusal(combined)) return combined;
    const { revision, bundles, data, reads } = combined;
    if (combined.wasm !== undefined)
      return {
        revision,
        bundles,
        data,
        wasm: same(combined.wasm),
        builtinPlaces: new Map(),
        ...(reads && { reads }),
      };
    const sources = sourcesOf(combined);
    const key = sha256(JSON.stringify([entrypoints, sources]));
    if (compiled?.key !== key) {
      const fresh = await compile(key, sources, entrypoints);
      if (isRefusal(fresh)) return fresh;
      compiled = fresh;
    }
    const { wasm: bytes, builtinPlaces, reads: found } = compiled;
    return { revision, bundles, data, wasm: bytes, builtinPlaces, ...(found && { reads: found }) };
  };
}

interface Compiled {
  readonly key: string;
  readonly wasm: Uint8Array;
  readonly builtinPlaces: ReadonlyMap<string, readonly string[]>;
  readonly reads?: PolicyReads;
}

/** Data has no part in the Wasm. It is shown to the compiler where it could meet a rule, to be told if it does. */
function sourcesOf({ rego, data }: Combined): readonly RegoSource[] {
  if (!dataMeetsPackages(rego, data)) return rego;
  return [...rego, { path: 'data.json', content: stringifyExact(data) }];
}

async function compile(
  key: string,
  sources: readonly RegoSource[],
  entrypoints: readonly string[],
): Promise<Compiled | Refusal> {
  const compiled = await compileRego(sources, { entrypoints });
  if (isRefusal(compiled)) return compiled;
  const bundle = await readBundle(compiled.bundle, { compiledHere: true });
  if (isRefusal(bundle)) return bundle;
  const builtinPlaces = new Map(
    compiled.builtins.map(({ name, locations }) => [
      name,
      locations.map(({ file, row, col }) => `${file}:${row}:${col}`),
    ]),
  );
  return { key, wasm: bundle.wasm, builtinPlaces, ...(bundle.reads && { reads: bundle.reads }) };
}

function sha256(content: Uint8Array | string): string {
  return createHash('sha256').update(content).digest('hex');
}
