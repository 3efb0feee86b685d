import { refuse, type Refusal } from '../errors/refusal.js';
import { stringifyExact } from '../json/exact.js';
import type { Bundle } from './bundle.js';
import { readResult } from './result.js';
import type { Policy } from './types.js';
import { missingBuiltins, openWasm, PAGE, type WasmPolicy } from './wasm.js';

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
}

/**
 * Makes a bundle ready to decide. One that asks for a built-in that this host lacks, or that was not compiled
 * with an entrypoint, is refused here and now, by name: not when the first request reaches the spot.
 */
export async function loadPolicy(
  options: LoadPolicyOptions,
): Promise<Policy | Refusal<'policy_unavailable'>> {
  const { bundle, entrypoints } = options;
  const data = encode(stringifyExact(bundle.data));
  const memory = sizeMemory(data.byteLength, options.growthPages ?? 1024);
  let module: WebAssembly.Module;
  let first: WasmPolicy;
  try {
    module = await WebAssembly.compile(bundle.wasm);
    first = openWasm(module, memory, data);
  } catch (error) {
    return refuse('policy_unavailable', `the Wasm module does not load: ${describe(error)}`);
  }
  const missing = missingBuiltins(first.requiredBuiltins, options.builtinPlaces);
  if (missing.length > 0)
    return refuse(
      'policy_unavailable',
      ['the policy needs built-ins that are not here:', ...missing].join('\n  '),
    );
  const unknown = entrypoints.filter((name) => !first.entrypoints.includes(name));
  if (unknown.length > 0)
    return refuse(
      'policy_unavailable',
      `no entrypoint ${unknown.join(', ')}; the bundle has ${first.entrypoints.join(', ')}`,
    );

  const { again } = first;
  let instance: WasmPolicy | undefined = first;
  return {
    revision: bundle.revision,
    entrypoints,
    evaluate(entrypoint, input, now) {
      try {
        const text = stringifyExact(input);
        if (text.includes('\\ud') && LONE_SURROGATE.test(text))
          return refuse('policy_error', 'the input holds text that is not Unicode');
        instance ??= again();
        const results = instance.evaluate(entrypoint, encode(text), now);
        if (results.length === 0)
          return refuse('policy_undefined', `${entrypoint} is undefined for this input`);
        return readResult(results[0]!.result, options);
      } catch (error) {
        // The instance may have stopped anywhere: it is not asked again, and the next evaluation starts clean.
        instance = undefined;
        return refuse('policy_error', describe(error));
      }
    },
  };
}

/** Of JSON text as JSON.stringify writes it: pairs stand as they are, only a lone half is escaped. */
const LONE_SURROGATE = /(?<!\\)(?:\\\\)*\\ud[89a-f]/;

/**
 * OPA's allocator asks for one page at a time, and each growth of a large memory copies it: so there is room
 * for the data from the start. Measured: values take about 12 times the size of their JSON.
 */
function sizeMemory(dataBytes: number, growth: number): WebAssembly.MemoryDescriptor {
  const initial = 32 + Math.ceil((dataBytes * 12) / PAGE);
  return { initial, maximum: Math.min(initial + growth, 65_536) };
}

function encode(text: string): ArrayBuffer {
  const buffer = new ArrayBuffer(Buffer.byteLength(text));
  new TextEncoder().encodeInto(text, new Uint8Array(buffer));
  return buffer;
}

/** What OPA's Wasm and opa-wasm throw: strings, plain objects, and errors. None of them quotes the input. */
function describe(error: unknown): string {
  if (typeof error === 'string') return error;
  if (typeof error === 'object' && error !== null && 'message' in error) return String(error.message);
  return 'unknown failure';
}
