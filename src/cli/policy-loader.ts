import { createHash } from 'node:crypto';
import type { Config } from '../config/schema.js';
import { isRefusal, type Refusal } from '../errors/refusal.js';
import { stringifyExact } from '../json/exact.js';
import { readBundle, type Bundle, type BundleContent } from '../policy/bundle.js';
import { combine, type Combined } from '../policy/combine.js';
import { dataMeetsPackages } from '../policy/data-conflict.js';
import type { PolicyReads } from '../policy/reads.js';
import type { BundleRevisions } from '../policy/types.js';
import { compileRego } from '../rego/compiler.js';
import type { RegoSource } from '../rego/source.js';

/** All that a policy is loaded from. It can be sent to another thread, where its data is text. */
export interface PreparedPolicy extends Omit<Bundle, 'data'> {
  /** Bytes are text of JSON in UTF-8. */
  readonly data: Bundle['data'] | Uint8Array;
  readonly bundles: BundleRevisions;
  /** Where the sources call each built-in (`file:row:col`); empty where there are none. */
  readonly builtinPlaces: ReadonlyMap<string, readonly string[]>;
}

/** What the compiler made last, and what it made it of: plain data, so that it outlives a thread. */
export interface CompiledRego {
  readonly key: string;
  readonly wasm: Uint8Array;
  readonly builtinPlaces: ReadonlyMap<string, readonly string[]>;
  readonly reads?: PolicyReads;
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
): (contents: ReadonlyMap<string, BundleContent>) => Promise<PreparedPolicy | Refusal> {
  let last: CompiledRego | undefined;
  let wasm: { digest: string; bytes: Uint8Array } | undefined;

  return async (contents) => {
    const outcome = await preparePolicy(contents, entrypoints, last);
    if (isRefusal(outcome)) return outcome;
    const { prepared, compiled } = outcome;
    last = compiled ?? last;
    const digest = sha256(prepared.wasm);
    if (wasm?.digest !== digest) wasm = { digest, bytes: prepared.wasm };
    return { ...prepared, wasm: wasm.bytes };
  };
}

/**
 * Combines and compiles.
 *
 * @param last what was compiled last, and serves again where the sources are the same
 */
export async function preparePolicy(
  contents: ReadonlyMap<string, BundleContent>,
  entrypoints: readonly string[],
  last?: CompiledRego,
): Promise<{ readonly prepared: PreparedPolicy; readonly compiled?: CompiledRego } | Refusal> {
  const combined = combine(contents, entrypoints);
  if (isRefusal(combined)) return combined;
  const { revision, bundles, data } = combined;
  if (combined.wasm !== undefined) {
    const { wasm, reads } = combined;
    return {
      prepared: { revision, bundles, data, wasm, builtinPlaces: new Map(), ...(reads && { reads }) },
    };
  }
  const sources = sourcesOf(combined);
  const key = sha256(JSON.stringify([entrypoints, sources]));
  const compiled = last?.key === key ? last : await compile(key, sources, entrypoints);
  if (isRefusal(compiled)) return compiled;
  const { wasm, builtinPlaces, reads } = compiled;
  return {
    prepared: { revision, bundles, data, wasm, builtinPlaces, ...(reads && { reads }) },
    compiled,
  };
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
): Promise<CompiledRego | Refusal> {
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

export function sha256(content: Uint8Array | string): string {
  return createHash('sha256').update(content).digest('hex');
}
