import { randomBytes } from 'node:crypto';
import type { BuiltinContext, Builtins } from '../builtins/builtin.js';
import { policyExports, type Address, type PolicyExports } from './abi.js';
import { PolicyHost } from './host.js';
import { TextMemory } from './memory.js';
import type { PolicyModule } from './module.js';

/**
 * Data as a module of OPA lays it out in its memory, from where its heap begins. It holds for every instance of
 * the same module, and can be made in another thread and sent: nothing in it is bound to an instance.
 */
export interface DataImage {
  readonly bytes: Uint8Array;
  /** {@link PolicyModule.digest} of the module. */
  readonly module: string;
  readonly data: Address;
}

export interface EvaluateOptions {
  /** Nanoseconds since the epoch. */
  readonly now: bigint;
  /** Takes what `print` writes, line by line; left out, it is discarded. */
  readonly print?: (line: string) => void;
  /** Default: the system's. */
  readonly random?: (length: number) => Uint8Array;
}

/** One instance of a policy module. It evaluates on the data that was loaded last. */
export class PolicyInstance {
  readonly entrypoints: ReadonlyMap<string, number>;
  /** The built-ins that the module leaves to its host, and the number it has for each. */
  readonly builtins: ReadonlyMap<string, number>;

  private readonly memory: WebAssembly.Memory;
  private exports!: PolicyExports;
  private text!: TextMemory;
  private readonly host = new PolicyHost();
  /** Where the heap began when the instance was new. */
  private readonly base: Address;
  private data: Address = 0;
  /** Where evaluations may write: behind the data. */
  private heap: Address;

  /**
   * @param size in pages; the module's own constants must fit the initial one
   * @throws TypeError for a module that is no policy or of another ABI, WebAssembly.LinkError for too few pages
   */
  constructor(
    private readonly module: PolicyModule,
    size: WebAssembly.MemoryDescriptor,
    builtins: Builtins = {},
  ) {
    this.memory = new WebAssembly.Memory(size);
    this.instantiate();
    this.base = this.exports.opa_heap_ptr_get() >>> 0;
    this.heap = this.base;
    this.entrypoints = this.numbers(this.exports.entrypoints());
    this.builtins = this.numbers(this.exports.builtins());
    this.supply(builtins);
  }

  /** Gives it other built-ins than it was made with: which ones it needs, it tells itself. */
  supply(builtins: Builtins): void {
    this.host.supply(this.builtins, builtins);
  }

  private instantiate(): void {
    const env = { memory: this.memory, ...this.host.imports };
    this.exports = policyExports(new WebAssembly.Instance(this.module.module, { env }).exports);
    this.text = new TextMemory(this.memory, this.exports);
    this.host.attach(this.exports, this.text);
  }

  /**
   * Makes the instance usable after an evaluation that threw and may have stopped anywhere: all that the module
   * keeps beside its heap begins anew, while the data stays where it is, since no evaluation writes to it. It
   * takes as long for 20 MB of data as for none, so whoever can make evaluations fail holds up nobody.
   */
  revive(): void {
    this.text.bytes().fill(0, 0, this.base);
    this.instantiate();
  }

  /** Bytes of memory that the instance has. It never gives any back. */
  get size(): number {
    return this.memory.buffer.byteLength;
  }

  /**
   * Parses data and keeps it. It takes 6 to 12 times the size of its JSON.
   *
   * @param json text of JSON; as bytes, in UTF-8
   * @throws PolicyAbort where it does not fit the memory, SyntaxError where it is no JSON
   */
  parse(json: string | Uint8Array): void {
    const { exports, text, base } = this;
    exports.opa_heap_ptr_set(base);
    const { address, length } = text.write(json);
    const data = exports.opa_value_parse(address, length) >>> 0;
    if (data === 0) throw new SyntaxError('the data is no JSON');
    this.heap = exports.opa_heap_ptr_get() >>> 0;
    this.data = data;
  }

  /** A copy of the data as it lies in memory. */
  image(): DataImage {
    const bytes = new Uint8Array(this.memory.buffer, this.base, this.heap - this.base).slice();
    return { bytes, module: this.module.digest, data: this.data };
  }

  /**
   * Loads an image, part by part: whoever drives this may do something else in between, but not evaluate.
   *
   * @throws PolicyAbort where it does not fit the memory, TypeError for the image of another module
   */
  *load(image: DataImage, chunk = CHUNK): Generator<void, void> {
    const { exports, base } = this;
    if (image.module !== this.module.digest)
      throw new TypeError('the image of the data was made for another policy');
    exports.opa_heap_ptr_set(base);
    // The allocator makes the room, so that it knows how far memory reaches; then it is told where to go on.
    exports.opa_malloc(image.bytes.length);
    for (let at = 0; at < image.bytes.length; at += chunk) {
      this.text.bytes().set(image.bytes.subarray(at, at + chunk), base + at);
      yield;
    }
    this.heap = base + image.bytes.length;
    this.data = image.data;
  }

  /**
   * Evaluates an entrypoint.
   *
   * @param input its text: JSON, or what src/policy/text.ts tells of; undefined for none
   * @returns the value's text: a set of `{"result": …}`, empty where it is undefined
   * @throws whatever goes wrong in there: PolicyAbort, BuiltinDefect, RangeError, WebAssembly.RuntimeError. The
   * instance is then not to be used again before {@link revive}.
   */
  evaluate(entrypoint: string, input: string | undefined, options: EvaluateOptions): string {
    const { exports, text, host } = this;
    const number = this.entrypoints.get(entrypoint);
    if (number === undefined) throw new TypeError(`no entrypoint ${entrypoint}`);
    exports.opa_heap_ptr_set(this.heap);
    const { address, length } = input === undefined ? { address: 0, length: 0 } : text.write(input);
    host.context = new EvaluationContext(options);
    try {
      const heap = exports.opa_heap_ptr_get();
      return text.read(exports.opa_eval(0, number, this.data, address, length, heap, AS_VALUE) >>> 0);
    } finally {
      host.context = undefined;
    }
  }

  private numbers(address: Address): ReadonlyMap<string, number> {
    const json = this.text.read(this.exports.opa_json_dump(address) >>> 0);
    return new Map(Object.entries(JSON.parse(json) as { [name: string]: number }));
  }
}

/** Bytes that are copied at once: half a millisecond of it. */
const CHUNK = 1024 * 1024;

/** As a value and not as JSON, for sets to come out as sets: only the host brings them in Rego's order. */
const AS_VALUE = 1;

/** Most evaluations ask for neither randomness nor a cache. */
class EvaluationContext implements BuiltinContext {
  readonly now: bigint;
  readonly random: (length: number) => Uint8Array;
  readonly print?: (line: string) => void;
  private cached: BuiltinContext['cache'] | undefined;

  constructor({ now, random = randomBytes, print }: EvaluateOptions) {
    this.now = now;
    this.random = random;
    if (print !== undefined) this.print = print;
  }

  get cache(): BuiltinContext['cache'] {
    return (this.cached ??= new Map());
  }
}
