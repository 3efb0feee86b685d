import { LRUCache } from 'lru-cache';
import { isRefusal, refuse, type Refusal } from '../errors/refusal.js';
import { stringifyExact } from '../json/exact.js';
import type { Builtins } from './builtins/builtin.js';
import { neededBuiltins } from './builtins/needed.js';
import type { Bundle } from './bundle.js';
import { toJson } from './json-value.js';
import { pruner, type PolicyReads } from './reads.js';
import { readResult } from './result.js';
import { parseValue } from './text.js';
import type { Policy, PolicyResult } from './types.js';
import type { RegoObject, RegoSet } from './value.js';
import { PAGE } from './wasm/abi.js';
import { PolicyInstance, type DataImage } from './wasm/instance.js';
import { compilePolicy, type PolicyModule } from './wasm/module.js';

export interface EvaluatorOptions {
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

export interface LoadPolicyOptions extends EvaluatorOptions {
  readonly bundle: Omit<Bundle, 'data'> & {
    /** Bytes are text of JSON in UTF-8. */
    readonly data: Bundle['data'] | Uint8Array;
  };
}

/** A policy with its data laid out, which takes long. It can be sent to another thread. */
export interface LaidOutPolicy {
  readonly module: PolicyModule;
  readonly image: DataImage;
}

type Unavailable = Refusal<'policy_unavailable'>;

/**
 * Makes a bundle ready to decide. One that asks for a built-in that this host lacks, or that was not compiled
 * with an entrypoint, is refused here and now, by name: not when the first request reaches the spot.
 */
export async function loadPolicy(options: LoadPolicyOptions): Promise<Policy | Unavailable> {
  const { bundle } = options;
  let instance: PolicyInstance;
  try {
    instance = parsed(await compiled(bundle.wasm), bundle.data, options);
  } catch (error) {
    return unloadable(error);
  }
  return policyOn(instance, bundle, options);
}

/**
 * The part of {@link loadPolicy} that takes as long as the data is large: for a thread that has nothing else to do.
 * {@link loadLaidOut} is the rest.
 *
 * @param known the same Wasm, compiled: where only the data changes
 */
export async function layOutPolicy(
  { wasm, data }: Pick<LoadPolicyOptions['bundle'], 'wasm' | 'data'>,
  known?: PolicyModule,
): Promise<LaidOutPolicy | Unavailable> {
  try {
    const module = known ?? (await compilePolicy(wasm));
    return { module, image: parsed(module, data, {}).image() };
  } catch (error) {
    return unloadable(error);
  }
}

/** Makes what was laid out ready to decide, piece by piece, so that others are never held up for long. */
export async function loadLaidOut(
  { module, image }: LaidOutPolicy,
  bundle: Pick<Bundle, 'revision' | 'reads'>,
  options: EvaluatorOptions,
): Promise<Policy | Unavailable> {
  let instance: PolicyInstance;
  try {
    const size = sizeMemory(module.bytes, image.bytes.length, options.growthPages);
    instance = new PolicyInstance(module, size);
    for (const _ of instance.load(image)) await new Promise((resolve) => setImmediate(resolve));
  } catch (error) {
    return unloadable(error);
  }
  return policyOn(instance, bundle, options);
}

function parsed(
  module: PolicyModule,
  data: Bundle['data'] | Uint8Array,
  { growthPages }: Pick<EvaluatorOptions, 'growthPages'>,
): PolicyInstance {
  const text = data instanceof Uint8Array ? data : stringifyExact(data);
  const size = sizeMemory(module.bytes, Buffer.byteLength(text) * HEAP_PER_BYTE, growthPages);
  const instance = new PolicyInstance(module, size);
  instance.parse(text);
  return instance;
}

function unloadable(error: unknown): Unavailable {
  return refuse('policy_unavailable', `the Wasm module does not load: ${describe(error)}`);
}

async function policyOn(
  instance: PolicyInstance,
  { revision, reads }: Pick<Bundle, 'revision' | 'reads'>,
  options: EvaluatorOptions,
): Promise<Policy | Unavailable> {
  const { entrypoints } = options;
  const required = [...instance.builtins.keys()];
  const builtins = options.builtins ?? (await neededBuiltins(required));
  if (!required.every((name) => Object.hasOwn(builtins, name))) {
    const { missingBuiltins } = await import('./missing-builtins.js');
    const missing = missingBuiltins(required, options.builtinPlaces, builtins);
    return refuse(
      'policy_unavailable',
      ['the policy needs built-ins that are not here:', ...missing].join('\n  '),
    );
  }
  instance.supply(builtins);
  const known = instance.entrypoints;
  const unknown = entrypoints.filter((name) => !known.has(name));
  if (unknown.length > 0)
    return refuse(
      'policy_unavailable',
      `no entrypoint ${unknown.join(', ')}; the bundle has ${[...known.keys()].join(', ')}`,
    );

  let broken = false;
  const plans = plansOf(entrypoints, options.reuse === false ? undefined : reads);
  // Policies have a few answers for many inputs: the same text is the same object, so that others may remember it, too.
  const read =
    options.reuse === false
      ? undefined
      : new LRUCache<string, PolicyResult>({ max: MOST_ANSWERS, maxSize: MOST_ANSWER_TEXT });
  return {
    revision,
    entrypoints,
    evaluate(entrypoint, input, now) {
      try {
        const plan = plans.get(entrypoint);
        const text = stringifyExact(plan?.prune ? plan.prune(input) : input);
        const remembered = plan?.results?.get(text);
        if (remembered !== undefined) return remembered;
        if (text.includes('\\ud') && LONE_SURROGATE.test(text))
          return refuse('policy_error', 'the input holds text that is not Unicode');
        if (broken) instance.revive();
        // Until it has come to an end: it may stop anywhere, and the next evaluation is to start clean.
        broken = true;
        const answer = instance.evaluate(entrypoint, text, { now: BigInt(Math.trunc(now)) * 1_000_000n });
        broken = false;
        const seen = read?.get(answer);
        const result = seen ?? readAnswer(answer, options);
        if (result === undefined)
          return refuse('policy_undefined', `${entrypoint} is undefined for this input`);
        if (isRefusal(result)) return result;
        if (seen === undefined && answer.length <= LONGEST)
          read?.set(answer, result, { size: answer.length });
        const length = text.length + answer.length;
        if (length <= LONGEST) plan?.results?.set(text, result, { size: length });
        return result;
      } catch (error) {
        return refuse('policy_error', describe(error));
      }
    },
  };
}

/** Undefined where the entrypoint is. */
function readAnswer(answer: string, options: EvaluatorOptions): ReturnType<typeof readResult> | undefined {
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

/** Of JSON text as JSON.stringify writes it: pairs stand as they are, only a lone half is escaped. */
const LONE_SURROGATE = /(?<!\\)(?:\\\\)*\\ud[89a-f]/;

/** Bytes that a byte of JSON takes in memory at most, itself among them (measured). */
const HEAP_PER_BYTE = 13;

/** OPA's allocator asks for one page at a time: so there is room for constants and data from the start. */
function sizeMemory(wasm: number, heap: number, growth = 1024): WebAssembly.MemoryDescriptor {
  const initial = Math.min(32 + Math.ceil((wasm + heap) / PAGE), MOST_PAGES);
  return { initial, maximum: Math.min(initial + growth, MOST_PAGES) };
}

/** 4 GiB, which is what addresses of 32 bits reach. */
const MOST_PAGES = 65_536;

/** None of what comes out of there quotes the input. */
function describe(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'message' in error) return String(error.message);
  return 'unknown failure';
}
