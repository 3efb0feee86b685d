import { type Address, type PolicyExports } from './abi.js';

/**
 * Text in and out of a module's memory. Room comes from the module's own allocator and never from growing the
 * memory from outside: the allocator keeps its own account of where memory ends and would not see that.
 */
export class TextMemory {
  private view: Buffer;

  constructor(
    private readonly memory: WebAssembly.Memory,
    private readonly exports: PolicyExports,
  ) {
    this.view = Buffer.from(memory.buffer);
  }

  /** The memory as it is now. Whatever may allocate in the module makes this view stale. */
  bytes(): Buffer {
    if (this.view.buffer !== this.memory.buffer) this.view = Buffer.from(this.memory.buffer);
    return this.view;
  }

  /** The text that begins there and ends before the next NUL. */
  read(address: Address): string {
    // What a writer of the module returns that has met a value of no type at all.
    if (address === 0) throw new RangeError('the memory of the policy is not in order');
    const bytes = this.bytes();
    const end = bytes.indexOf(0, address);
    if (end === -1) throw new RangeError('a text in the memory of the policy does not end');
    return bytes.toString('utf8', address, end);
  }

  /** Allocates room for the text and writes it there as UTF-8, which bytes are already. */
  write(text: string | Uint8Array): { readonly address: Address; readonly length: number } {
    const length = Buffer.byteLength(text);
    const address = this.exports.opa_malloc(length) >>> 0;
    if (typeof text === 'string') this.bytes().write(text, address, 'utf8');
    else this.bytes().set(text, address);
    return { address, length };
  }
}
