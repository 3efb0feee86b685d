/**
 * What a policy module exports, of OPA's Wasm ABI 1.2 and 1.3 (https://www.openpolicyagent.org/docs/wasm, and
 * wasm/src of OPA, which says what the page leaves out). Every address and length is in bytes.
 */
export interface PolicyExports {
  /** Address of an object from the name of each host built-in to the number that it is called by. */
  builtins(): Address;
  /** Address of an object from each `package/rule` to its number. */
  entrypoints(): Address;
  opa_malloc(length: number): Address;
  opa_free(address: Address): void;
  /** Where what is allocated next begins, unless a free block serves. */
  opa_heap_ptr_get(): Address;
  /** Also forgets all free blocks, which may lie behind it, and every cache. */
  opa_heap_ptr_set(address: Address): void;
  /** Reads a value from text: see src/policy/text.ts. 0 for what is no value; what follows one is not looked at. */
  opa_value_parse(address: Address, length: number): Address;
  /** Writes a value as such a text, ended by NUL. */
  opa_value_dump(value: Address): Address;
  opa_json_dump(value: Address): Address;
  /**
   * Sets the heap pointer to `heap`, parses the input, evaluates, and writes the result's text: as JSON for
   * format 0, as a value for format 1. The input's text must lie below `heap`. Length 0: no input.
   */
  opa_eval(
    reserved: 0,
    entrypoint: number,
    data: Address,
    input: Address,
    inputLength: number,
    heap: Address,
    format: 0 | 1,
  ): Address;
}

export type Address = number;

/** Bytes of a page of Wasm memory. */
export const PAGE = 64 * 1024;

const FUNCTIONS: readonly (keyof PolicyExports)[] = [
  'builtins',
  'entrypoints',
  'opa_malloc',
  'opa_free',
  'opa_heap_ptr_get',
  'opa_heap_ptr_set',
  'opa_value_parse',
  'opa_value_dump',
  'opa_json_dump',
  'opa_eval',
];

/**
 * @throws TypeError for a module that is no policy, or one of an ABI that is not spoken here
 */
export function policyExports(exports: { readonly [name: string]: unknown }): PolicyExports {
  const [major, minor] = [version(exports.opa_wasm_abi_version), version(exports.opa_wasm_abi_minor_version)];
  if (major === undefined || minor === undefined)
    throw new TypeError('it is no policy that OPA compiled: it exports no version of the ABI');
  if (major !== 1 || minor < 2 || minor > 3)
    throw new TypeError(
      `it speaks version ${major}.${minor} of OPA's Wasm ABI, and only 1.2 and 1.3 are understood here: compile it with a newer OPA, or with \`countersign build\``,
    );
  const lacking = FUNCTIONS.filter((name) => typeof exports[name] !== 'function');
  if (lacking.length > 0) throw new TypeError(`it does not export ${lacking.join(', ')}`);
  return exports as unknown as PolicyExports;
}

/** A global that holds one, behind an interface of `value`. */
function version(global: unknown): number | undefined {
  const value: unknown = (global as { value?: unknown } | undefined)?.value;
  return typeof value === 'number' ? value : undefined;
}
