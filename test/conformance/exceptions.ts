const NO_NETWORK =
  'net.lookup_ip_addr is refused by name when a policy loads: a decision never waits for a resolver, also not where the name is an address';

const NO_PARSER =
  "rego.parse_module is refused by name when a policy loads: OPA's parser exists in Go alone, and embedded it is a process of half a second";

const NO_RUNTIME =
  'opa.runtime is refused by name when a policy loads: a decision must not depend on the environment of the server';

const NO_HTTP =
  'http.send is refused by name when a policy loads: a decision never waits for the network, also not to say that its arguments are bad';
const INTEGER_KEYS =
  "OPA's Wasm looks integers up in objects of data as numbers, where topdown takes them for the text of a path; OPA excepts it from its own runs (github.com/open-policy-agent/opa/issues/3711)";

/** Cases that cannot pass in Wasm, by note, each with the reason. Whoever makes one pass must take it out here. */
export const EXCEPTIONS: { readonly [note: string]: string } = {
  'data/nested integer': INTEGER_KEYS,
  'data/toplevel integer': INTEGER_KEYS,
  'invalidkeyerror/invalid keys': NO_HTTP,
  'invalidkeyerror/missing keys': NO_HTTP,
  'net.lookup_ip_addr/localhost': NO_NETWORK,
  'net.lookup_ip_addr/simple ip4 returns that ip4': NO_NETWORK,
  'net.lookup_ip_addr/simple ip6 returns that ip6': NO_NETWORK,
  'regoparsemodule/error': NO_PARSER,
  'regoparsemodule/ok': NO_PARSER,
  'withkeyword/builtin-builtin: arity 0': NO_RUNTIME,
};
