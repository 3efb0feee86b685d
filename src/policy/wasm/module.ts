import { createHash } from 'node:crypto';

/** A compiled policy, which other threads may be sent. */
export interface PolicyModule {
  readonly module: WebAssembly.Module;
  /** Tells it from any other: data that one module has laid out is nothing to another. */
  readonly digest: string;
  /** Length of its Wasm. */
  readonly bytes: number;
}

/**
 * @throws WebAssembly.CompileError for what is no Wasm
 */
export async function compilePolicy(wasm: Uint8Array): Promise<PolicyModule> {
  return {
    module: await WebAssembly.compile(wasm),
    digest: createHash('sha256').update(wasm).digest('hex'),
    bytes: wasm.byteLength,
  };
}
