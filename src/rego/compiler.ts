import type { RegoSource } from './source.js';
import { isRefusal } from '../errors/refusal.js';
import { type RegoErrors, type RegoLocation } from './errors.js';
import { ask, filesOf, invalid, type WireError } from './wire.js';

export interface RegoCompileOptions {
  /** What can be asked for, as `package/rule`: `mesh/authz/decision`. At least one. */
  readonly entrypoints: readonly string[];
  /** Goes into the bundle's manifest. */
  readonly revision?: string;
  /**
   * From how many clauses on a rule looks up what it needs of the input once, and not in each clause. No answer depends on
   * it. Default: as many as it pays for.
   */
  readonly hoistFrom?: number;
}

/** Sources, compiled. */
export interface CompiledRego {
  /**
   * An OPA bundle, .tar.gz: `/policy.wasm`, `/data.json`, `/.manifest`, and the sources less the entrypoints'
   * rules. Equal sources and options give equal bytes.
   */
  readonly bundle: Uint8Array;
  /**
   * Every built-in that the sources call, operators aside, by name, with the places. Not all of them are the
   * host's to supply: `policy.wasm` says which are, in its export `builtins`.
   */
  readonly builtins: readonly RegoBuiltinUse[];
}

export interface RegoBuiltinUse {
  readonly name: string;
  readonly locations: readonly RegoLocation[];
}

/** The answer of the Go program's `build`. */
interface BuildAnswer {
  readonly bundle?: string;
  readonly builtins?: readonly RegoBuiltinUse[];
  readonly errors?: readonly WireError[];
}

/**
 * Compiles Rego v1 to Wasm with OPA's own compiler. Takes half a second and more, none of it on the event loop.
 *
 * Calls of built-ins that Wasm does not have are compiled too: whether the host has them is for the one who
 * loads the bundle to judge, and {@link CompiledRego.builtins} is there to tell its author where they are.
 *
 * What is wrong with the sources or the entrypoints is a value, and so is a compiler that fails.
 *
 * @example
 * const compiled = await compileRego(sources, { entrypoints: ['mesh/authz/decision'] });
 * if (isRefusal(compiled)) console.error(compiled.detail);
 * else await writeFile('bundle.tar.gz', compiled.bundle);
 */
export async function compileRego(
  sources: readonly RegoSource[],
  options: RegoCompileOptions,
): Promise<CompiledRego | RegoErrors> {
  const answer = await ask<BuildAnswer>('build', {
    files: filesOf(sources),
    entrypoints: options.entrypoints,
    ...(options.revision !== undefined && { revision: options.revision }),
    ...(options.hoistFrom !== undefined && { hoist: options.hoistFrom }),
  });
  if (isRefusal(answer)) return answer;
  if (answer.bundle === undefined) return invalid(answer.errors ?? []);
  return { bundle: Buffer.from(answer.bundle, 'base64'), builtins: answer.builtins ?? [] };
}
