const NO_NETWORK =
  'net.lookup_ip_addr is refused by name when a policy loads: a decision never waits for a resolver, also not where the name is an address';

const NO_PARSER =
  "rego.parse_module is refused by name when a policy loads: OPA's parser exists in Go alone, and embedded it is a process of half a second";

const NO_RUNTIME =
  'opa.runtime is refused by name when a policy loads: a decision must not depend on the environment of the server';

/** Cases that cannot pass in Wasm, by note, each with the reason. Whoever makes one pass must take it out here. */
export const EXCEPTIONS: { readonly [note: string]: string } = {
  'net.lookup_ip_addr/localhost': NO_NETWORK,
  'net.lookup_ip_addr/simple ip4 returns that ip4': NO_NETWORK,
  'net.lookup_ip_addr/simple ip6 returns that ip6': NO_NETWORK,
  'regoparsemodule/error': NO_PARSER,
  'regoparsemodule/ok': NO_PARSER,
  'withkeyword/builtin-builtin: arity 0': NO_RUNTIME,
};
