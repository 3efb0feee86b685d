/**
 * The built-ins that OPA's Wasm leaves to the host and this host supplies, and why it refuses others. A
 * policy that needs any other does not load.
 */

/** A host built-in: arguments as JSON values, and a result as JSON text, so that no number is rounded. */
export type HostBuiltin = (context: { readonly now: number }, ...args: readonly unknown[]) => string;

export const HOST_BUILTINS: { readonly [name: string]: HostBuiltin } = {
  /** Nanoseconds since the epoch: beyond 2^53, so they never pass through a double. */
  'time.now_ns': ({ now }) => `${BigInt(Math.trunc(now)) * 1_000_000n}`,
};

/** What @open-policy-agent/opa-wasm supplies itself, and cannot be kept from supplying. */
export const LIBRARY_BUILTINS: ReadonlySet<string> = new Set([
  'json.is_valid',
  'sprintf',
  'yaml.is_valid',
  'yaml.marshal',
  'yaml.unmarshal',
]);

/** Why a built-in is refused that one might expect. */
export const REFUSED_BUILTINS: { readonly [name: string]: string } = {
  'http.send': 'a decision never waits for the network; put what it fetches into data',
  'net.lookup_ip_addr': 'a decision never waits for the network',
  'opa.runtime': 'a decision must not depend on the environment of the server',
  'regex.split': "it would run JavaScript's RegExp, whose time is unbounded, on what a caller sends",
};
