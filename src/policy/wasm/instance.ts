import { randomBytes } from 'node:crypto';
import type { BuiltinContext, Builtins } from '../builtins/builtin.js';
import { HOST_BUILTINS } from '../builtins/index.js';
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

  private readonly module: string;
  private readonly memory: WebAssembly.Memory;
  private readonly exports: PolicyExports;
  private readonly text: TextMemory;
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
    { module, digest }: PolicyModule,
    size: WebAssembly.MemoryDescriptor,
    builtins: Builtins = HOST_BUILTINS,
  ) {
    this.module = digest;
    this.memory = new WebAssembly.Memory(size);
    const env = { memory: this.memory, ...this.host.imports };
    this.exports = policyExports(new WebAssembly.Instance(module, { env }).exports);
    this.text = new TextMemory(this.memory, this.exports);
    this.host.attach(this.exports, this.text);
    this.base = this.exports.opa_heap_ptr_get() >>> 0;
    this.heap = this.base;
    this.entrypoints = this.numbers(this.exports.entrypoints());
    this.builtins = this.numbers(this.exports.builtins());
    this.host.supply(this.builtins, builtins);
  }

  /** Bytes of memory that the instance has. It never gives any back. */
  get size(): number {
    return this.memory.buffer.byteLength;
  }

  /**
   * Parses data, keeps it, and returns its image. It takes about 12 times the size of its JSON.
   *
   * @param json text of JSON
   * @throws PolicyAbort where it does not fit the memory, SyntaxError where it is no JSON
   */
  parse(json: string): DataImage {
    const { exports, text, base } = this;
    const length = Buffer.byteLength(json);
    exports.opa_heap_ptr_set(base);
    const written = text.write(json);
    const data = exports.opa_value_parse(written.address, length) >>> 0;
    if (data === 0) throw new SyntaxError('the data is no JSON');
    this.heap = exports.opa_heap_ptr_get() >>> 0;
    this.data = data;
    return { bytes: text.bytes().subarray(base, this.heap).slice(), module: this.module, data };
  }

  /**
   * Loads an image, part by part: whoever drives this may do something else in between, but not evaluate.
   *
   * @throws PolicyAbort where it does not fit the memory, TypeError for the image of another module
   */
  *load(image: DataImage, chunk = 1 << 20): Generator<void, void> {
    const { exports, base } = this;
    if (image.module !== this.module)
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
   * instance is then not to be used again.
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
