import * as library from '@open-policy-agent/opa-wasm';
import { HOST_BUILTINS, LIBRARY_BUILTINS, REFUSED_BUILTINS } from './builtins.js';

/** Its ES module exports loadPolicySync within its default alone, which its types do not know. */
const { loadPolicySync } = (library as unknown as { default: typeof library }).default;

/** One instance of a policy module, with its data in its memory. */
export interface WasmPolicy {
  readonly entrypoints: readonly string[];
  /** Names of the built-ins that the module imports from its host. */
  readonly requiredBuiltins: readonly string[];
  /**
   * @param input JSON text, UTF-8
   * @param now milliseconds since the epoch
   * @throws whatever goes wrong in there: strings, plain objects, RangeError, WebAssembly.RuntimeError. The
   * instance is then not to be used again.
   */
  evaluate(entrypoint: string, input: ArrayBuffer, now: number): readonly { readonly result: unknown }[];
  /**
   * Another instance, as this one was before its first evaluation. It costs a copy of the memory that the data
   * takes, not the parsing of the data: whoever can make an evaluation fail must not make the next ones wait.
   */
  again(): WasmPolicy;
}

/** What opa-wasm's types leave out. */
interface Loaded {
  /** Where the data is, and where what comes after it begins. */
  dataAddr: number;
  dataHeapPtr: number;
  readonly entrypoints: { readonly [name: string]: number };
  readonly mem: WebAssembly.Memory;
  readonly wasmInstance: {
    readonly exports: { builtins(): number; opa_json_dump(value: number): number };
  };
  evaluate(input: ArrayBuffer, entrypoint: string): { result: unknown }[];
  setData(data: ArrayBuffer): void;
}

/**
 * The one place that speaks to @open-policy-agent/opa-wasm.
 *
 * @param data JSON text, UTF-8
 * @throws what opa-wasm throws for a module that is no policy, or data that does not fit its memory
 */
export function openWasm(
  module: WebAssembly.Module,
  memory: WebAssembly.MemoryDescriptor,
  data: ArrayBuffer,
): WasmPolicy {
  const policy = instantiate(module, memory);
  policy.loaded.setData(data);
  const { mem, dataAddr, dataHeapPtr } = policy.loaded;
  // Everything that evaluations build upon, OPA's allocator included; they write behind it.
  const saved = new Uint8Array(mem.buffer, 0, dataHeapPtr).slice();
  const size = mem.buffer.byteLength;

  function again(): WasmPolicy {
    const next = instantiate(module, memory);
    const lacking = size - next.loaded.mem.buffer.byteLength;
    if (lacking > 0) next.loaded.mem.grow(lacking / PAGE);
    new Uint8Array(next.loaded.mem.buffer).set(saved);
    Object.assign(next.loaded, { dataAddr, dataHeapPtr });
    return opened(next, again);
  }
  return opened(policy, again);
}

/** Bytes of a page of Wasm memory. */
export const PAGE = 64 * 1024;

interface Instance {
  readonly loaded: Loaded;
  /** What the built-ins of the evaluation under way go by. */
  readonly context: { now: number };
}

function instantiate(module: WebAssembly.Module, memory: WebAssembly.MemoryDescriptor): Instance {
  const context = { now: 0 };
  const builtins = Object.fromEntries(
    Object.entries(HOST_BUILTINS).map(([name, builtin]) => [
      name,
      (...args: unknown[]) => jsonBytes(builtin(context, ...args)),
    ]),
  );
  const loaded = loadPolicySync(module as never, memory as never, builtins) as unknown as Loaded;
  return { loaded, context };
}

function opened({ loaded: policy, context }: Instance, again: () => WasmPolicy): WasmPolicy {
  return {
    entrypoints: Object.keys(policy.entrypoints),
    requiredBuiltins: Object.keys(dump(policy, policy.wasmInstance.exports.builtins())),
    evaluate(entrypoint, input, now) {
      context.now = now;
      return policy.evaluate(input, entrypoint);
    },
    again,
  };
}

/** Those that nobody supplies, each with the reason and the places where there are any to give. */
export function missingBuiltins(
  required: readonly string[],
  places: ReadonlyMap<string, readonly string[]> = new Map(),
): string[] {
  return required
    .filter((name) => !Object.hasOwn(HOST_BUILTINS, name) && !LIBRARY_BUILTINS.has(name))
    .map((name) => {
      const why = Object.hasOwn(REFUSED_BUILTINS, name) ? ` (${REFUSED_BUILTINS[name]})` : '';
      const where = places.get(name) ?? [];
      return `${name}${why}${where.length > 0 ? `, called at ${where.join(', ')}` : ''}`;
    });
}

/** opa-wasm takes an ArrayBuffer for JSON text that is ready to be parsed, and so leaves its numbers alone. */
function jsonBytes(text: string): ArrayBuffer {
  const bytes = new TextEncoder().encode(text);
  const buffer = new ArrayBuffer(bytes.length);
  new Uint8Array(buffer).set(bytes);
  return buffer;
}

/** A value in the module's memory, which it writes out as a NUL-terminated JSON text. */
function dump(policy: Loaded, value: number): object {
  const at = policy.wasmInstance.exports.opa_json_dump(value);
  const memory = new Uint8Array(policy.mem.buffer);
  return JSON.parse(new TextDecoder().decode(memory.subarray(at, memory.indexOf(0, at)))) as object;
}
