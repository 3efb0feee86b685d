/** The part of the WebAssembly JavaScript interface that is used here; @types/node leaves it to lib.dom. */
declare namespace WebAssembly {
  /** Sizes in pages of 64 KiB. */
  interface MemoryDescriptor {
    initial: number;
    maximum?: number;
  }
  class Memory {
    constructor(descriptor: MemoryDescriptor);
    readonly buffer: ArrayBuffer;
  }
  interface Module {
    readonly [Symbol.toStringTag]: 'WebAssembly.Module';
  }
  class Instance {
    constructor(module: Module, imports: { readonly env: { readonly [name: string]: unknown } });
    readonly exports: { readonly [name: string]: unknown };
  }
  function compile(bytes: Uint8Array): Promise<Module>;
}
