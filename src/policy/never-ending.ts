/** The name with its length before it, as it stands in the module's own list of its functions. */
const REPLACE = '\u0013opa_strings_replace';

/**
 * Whether a policy module replaces text by itself, which never comes back from replacing the empty text, and nothing
 * stops it. So does what `opa build` compiles where a rule calls `replace`; our compiler leaves that to the host. OPA's
 * compiler takes what no rule comes to out of the list.
 */
export function mayNeverEnd(wasm: Uint8Array): boolean {
  return Buffer.from(wasm.buffer, wasm.byteOffset, wasm.byteLength).includes(REPLACE);
}
