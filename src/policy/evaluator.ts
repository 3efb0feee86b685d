import { LRUCache } from 'lru-cache';
import { isRefusal, refuse, type Refusal } from '../errors/refusal.js';
import { stringifyExact } from '../json/exact.js';
import type { Builtins } from './builtins/builtin.js';
import { HOST_BUILTINS } from './builtins/index.js';
import type { Bundle } from './bundle.js';
import { toJson } from './json-value.js';
import { missingBuiltins } from './missing-builtins.js';
import { pruner, type PolicyReads } from './reads.js';
import { readResult } from './result.js';
import { parseValue } from './text.js';
import type { Policy, PolicyResult } from './types.js';
import type { RegoObject, RegoSet } from './value.js';
import { PAGE } from './wasm/abi.js';
import { PolicyInstance, type DataImage } from './wasm/instance.js';
import { compilePolicy, type PolicyModule } from './wasm/module.js';

export interface LoadPolicyOptions {
  readonly bundle: Bundle;
  /** `package/rule`, each of which the bundle must have been compiled with. */
  readonly entrypoints: readonly string[];
  /** Lets a policy set `:path`, `:authority` and `host`. Default false. */
  readonly allowRequestTargetRewrite?: boolean;
  /** Wasm memory that an input may make an instance grow by, in pages of 64 KiB. Default 1024 (64 MiB). */
  readonly growthPages?: number;
  /** Where the sources call each built-in (`file:row:col`), for a refusal that names the line. */
  readonly builtinPlaces?: ReadonlyMap<string, readonly string[]>;
  /** What the host supplies. Default: all that it has. */
  readonly builtins?: Builtins;
  /**
   * Whether an evaluation may be given the part of its input that the policy reads, and a result be used again where
   * that part is the same. Default true; no answer depends on it.
   */
  readonly reuse?: boolean;
}

/**
 * Makes a bundle ready to decide. One that asks for a built-in that this host lacks, or that was not compiled
 * with an entrypoint, is refused here and now, by name: not when the first request reaches the spot.
 */
export async function loadPolicy(
  options: LoadPolicyOptions,
): Promise<Policy | Refusal<'policy_unavailable'>> {
  const { bundle, entrypoints, builtins = HOST_BUILTINS } = options;
  const data = stringifyExact(bundle.data);
  const size = sizeMemory(bundle.wasm.length, Buffer.byteLength(data), options.growthPages ?? 1024);
  let module: PolicyModule;
  let first: PolicyInstance;
  let image: DataImage;
  try {
    module = await compiled(bundle.wasm);
    first = new PolicyInstance(module, size, builtins);
    image = first.parse(data);
  } catch (error) {
    return refuse('policy_unavailable', `the Wasm module does not load: ${describe(error)}`);
  }
  const missing = missingBuiltins(first.builtins.keys(), options.builtinPlaces, builtins);
  if (missing.length > 0)
    return refuse(
      'policy_unavailable',
      ['the policy needs built-ins that are not here:', ...missing].join('\n  '),
    );
  const known = first.entrypoints;
  const unknown = entrypoints.filter((name) => !known.has(name));
  if (unknown.length > 0)
    return refuse(
      'policy_unavailable',
      `no entrypoint ${unknown.join(', ')}; the bundle has ${[...known.keys()].join(', ')}`,
    );

  let instance: PolicyInstance | undefined = first;
  const plans = plansOf(entrypoints, options.reuse === false ? undefined : bundle.reads);
  // Policies have a few answers for many inputs: the same text is the same object, so that others may remember it, too.
  const read = new LRUCache<string, PolicyResult>({ max: MOST_ANSWERS, maxSize: MOST_ANSWER_TEXT });
  return {
    revision: bundle.revision,
    entrypoints,
    evaluate(entrypoint, input, now) {
      try {
        const plan = plans.get(entrypoint);
        const text = stringifyExact(plan?.prune ? plan.prune(input) : input);
        const remembered = plan?.results?.get(text);
        if (remembered !== undefined) return remembered;
        if (text.includes('\\ud') && LONE_SURROGATE.test(text))
          return refuse('policy_error', 'the input holds text that is not Unicode');
        instance ??= another(module, size, builtins, image);
        const answer = instance.evaluate(entrypoint, text, { now: BigInt(Math.trunc(now)) * 1_000_000n });
        const seen = read.get(answer);
        const result = seen ?? readAnswer(answer, options);
        if (result === undefined)
          return refuse('policy_undefined', `${entrypoint} is undefined for this input`);
        if (isRefusal(result)) return result;
        if (seen === undefined && answer.length <= LONGEST) read.set(answer, result, { size: answer.length });
        const length = text.length + answer.length;
        if (length <= LONGEST) plan?.results?.set(text, result, { size: length });
        return result;
      } catch (error) {
        // The instance may have stopped anywhere: it is not asked again, and the next evaluation starts clean.
        instance = undefined;
        return refuse('policy_error', describe(error));
      }
    },
  };
}

/** Undefined where the entrypoint is. */
function readAnswer(answer: string, options: LoadPolicyOptions): ReturnType<typeof readResult> | undefined {
  for (const value of parseValue(answer) as RegoSet)
    return readResult(toJson((value as RegoObject).get('result')!), options);
  return undefined;
}

/** How evaluations of one entrypoint may be spared. */
interface Plan {
  readonly prune: ReturnType<typeof pruner>;
  /** By the text of the pruned input. Absent where equal inputs may give other results. */
  readonly results?: LRUCache<string, PolicyResult>;
}

/** Results that are remembered of each entrypoint: as many, and as many UTF-16 code units of input and result. */
const MOST_RESULTS = 10_000;
const MOST_TEXT = 8 * 1024 * 1024;

/** Answers that have been read, and their UTF-16 code units. */
const MOST_ANSWERS = 1_000;
const MOST_ANSWER_TEXT = 1024 * 1024;

/** Of an input and its result. A longer input is hardly ever asked about twice, and a long result takes room. */
const LONGEST = 8 * 1024;

function plansOf(entrypoints: readonly string[], reads: PolicyReads | undefined): ReadonlyMap<string, Plan> {
  const plans = new Map<string, Plan>();
  for (const entrypoint of entrypoints) {
    const read = reads?.get(entrypoint);
    if (read === undefined) continue;
    const results = new LRUCache<string, PolicyResult>({
      max: MOST_RESULTS,
      maxSize: MOST_TEXT,
    });
    plans.set(entrypoint, { prune: pruner(read.input), ...(read.pure && { results }) });
  }
  return plans;
}

/** Machine code by the bytes it was made of: whoever changes the data alone passes the same bytes again. */
const MODULES = new WeakMap<Uint8Array, Promise<PolicyModule>>();

function compiled(wasm: Uint8Array): Promise<PolicyModule> {
  let module = MODULES.get(wasm);
  if (module === undefined) {
    module = compilePolicy(wasm);
    MODULES.set(wasm, module);
  }
  return module;
}

/**
 * An instance in place of one that failed. It costs a copy of the memory that the data takes, not the parsing of
 * the data: whoever can make an evaluation fail must not make the next ones wait.
 */
function another(
  module: PolicyModule,
  size: WebAssembly.MemoryDescriptor,
  builtins: Builtins,
  image: DataImage,
): PolicyInstance {
  const instance = new PolicyInstance(module, size, builtins);
  for (const _ of instance.load(image));
  return instance;
}

/** Of JSON text as JSON.stringify writes it: pairs stand as they are, only a lone half is escaped. */
const LONE_SURROGATE = /(?<!\\)(?:\\\\)*\\ud[89a-f]/;

/**
 * OPA's allocator asks for one page at a time: so there is room for the module's constants and for the data from
 * the start. Measured: values take about 12 times the size of their JSON, which itself is kept beside them.
 */
function sizeMemory(wasmBytes: number, dataBytes: number, growth: number): WebAssembly.MemoryDescriptor {
  const initial = 32 + Math.ceil((wasmBytes + dataBytes * 13) / PAGE);
  return { initial, maximum: Math.min(initial + growth, 65_536) };
}

/** None of what comes out of there quotes the input. */
function describe(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'message' in error) return String(error.message);
  return 'unknown failure';
}
