import { BuiltinError, type Builtin, type BuiltinContext, type Builtins } from '../builtins/builtin.js';
import { formatValue, parseValue } from '../text.js';
import type { Address, PolicyExports } from './abi.js';
import type { TextMemory } from './memory.js';

/** What the module itself gives up with, such as two values for one rule: `policy.rego:3:1: …`. */
export class PolicyAbort extends Error {
  override readonly name = 'PolicyAbort';
}

/** A built-in that threw what it must not throw. Its own message may quote what a caller sent, so it is the cause. */
export class BuiltinDefect extends Error {
  override readonly name = 'BuiltinDefect';

  constructor(builtin: string, cause: unknown) {
    super(`the built-in ${builtin} failed: ${cause instanceof Error ? cause.name : 'unknown failure'}`, {
      cause,
    });
  }
}

/** The side of the ABI that the module calls: what it gives up with, what it prints, and its host's built-ins. */
export class PolicyHost {
  /** What the evaluation under way goes by. */
  context: BuiltinContext | undefined;

  private parts: { readonly exports: PolicyExports; readonly text: TextMemory } | undefined;
  private builtins: readonly (readonly [name: string, builtin: Builtin | undefined])[] = [];

  /** For the module's import `env`, the memory aside. */
  readonly imports = {
    opa_abort: (message: Address): never => {
      throw new PolicyAbort(this.module().text.read(message >>> 0));
    },
    // Only a module built for debugging OPA itself prints with this one.
    opa_println: (): void => {},
    opa_builtin0: (id: number): Address => this.call(id),
    opa_builtin1: (id: number, _: Address, a: Address): Address => this.call(id, a),
    opa_builtin2: (id: number, _: Address, a: Address, b: Address): Address => this.call(id, a, b),
    opa_builtin3: (id: number, _: Address, a: Address, b: Address, c: Address): Address =>
      this.call(id, a, b, c),
    opa_builtin4: (id: number, _: Address, a: Address, b: Address, c: Address, d: Address): Address =>
      this.call(id, a, b, c, d),
  };

  /** Once the module is there, which cannot be before these imports are. */
  attach(exports: PolicyExports, text: TextMemory): void {
    this.parts = { exports, text };
  }

  /** @param ids as the module's `builtins()` gives them */
  supply(ids: ReadonlyMap<string, number>, builtins: Builtins): void {
    const table: (readonly [string, Builtin | undefined])[] = [];
    for (const [name, id] of ids)
      table[id] = [name, Object.hasOwn(builtins, name) ? builtins[name] : undefined];
    this.builtins = table;
  }

  private module(): { readonly exports: PolicyExports; readonly text: TextMemory } {
    if (this.parts === undefined) throw new Error('the module calls its host before it is there');
    return this.parts;
  }

  /** @returns the address of the result, or 0, which leaves the calling expression undefined */
  private call(id: number, ...operands: Address[]): Address {
    const [name, builtin] = this.builtins[id] ?? [`number ${id}`, undefined];
    if (builtin === undefined || this.context === undefined)
      throw new Error(`the policy calls the built-in ${name}, which is not here`);
    const { exports, text } = this.module();
    const values = operands.map((address) => {
      const dumped = exports.opa_value_dump(address) >>> 0;
      const value = parseValue(text.read(dumped));
      exports.opa_free(dumped);
      return value;
    });
    let result: string;
    try {
      const value = builtin(this.context, ...values);
      if (value === undefined) return 0;
      result = formatValue(value);
    } catch (error) {
      if (error instanceof BuiltinError) return 0;
      throw new BuiltinDefect(name, error);
    }
    const { address, length } = text.write(result);
    const parsed = exports.opa_value_parse(address, length);
    if (parsed === 0) throw new BuiltinDefect(name, new SyntaxError('no value of Rego'));
    exports.opa_free(address);
    return parsed;
  }
}
