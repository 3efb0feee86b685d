/**
 * Policies as people write them for opa-envoy-plugin, by the name under which a request asks for one of them
 * (`context_extensions.policy`). They know nothing of Countersign.
 */
export const POLICIES: { readonly [name: string]: string } = {
  /** Denies, and says in the body what the policy saw: the whole of the input document that the plugin defines. */
  echo: `
decision := {"allowed": false, "body": json.marshal(object.filter(input, keys))}

keys := ["attributes", "parsed_path", "parsed_query", "parsed_body", "truncated_body", "version", "source_principal"]
`,

  /** Comes to whatever the request's \`result\` header holds as JSON; undefined where there is none. */
  result: `
decision := json.unmarshal(input.attributes.request.http.headers.result)
`,

  /** The usual first policy: a boolean, closed by default. */
  boolean: `
default decision := false

decision if {
	input.attributes.request.http.method == "GET"
	input.parsed_path == ["health"]
}

decision if {
	input.parsed_path[0] == "people"
	input.attributes.request.http.method == "GET"
	input.parsed_query.team[_] == "red"
}
`,

  /** An answer of its own for every outcome, in rules that are put together. */
  object: `
default allow := false

allow if {
	input.attributes.request.http.method == "POST"
	not input.truncated_body
	input.parsed_body.firstname != "mallory"
}

decision := {
	"allowed": allow,
	"http_status": status,
	"headers": headers,
	"body": message,
	"request_headers_to_remove": ["x-debug"],
	"response_headers_to_add": {"x-decided-by": "policy"},
}

headers := {"x-user": "alice", "x-tier": "gold"} if allow

headers := {"location": "https://login.example.org/"} if not allow

status := 200 if allow

status := 302 if not allow

message := "welcome" if allow

message := "sign in" if not allow
`,

  /** Reads the workload from the certificate's name, and a form's field. */
  form: `
default decision := {"allowed": false, "http_status": 401, "body": "no"}

decision := {"allowed": true, "headers": {"x-caller": caller}} if {
	"orders" in input.parsed_body.scope
	startswith(input.attributes.source.principal, "spiffe://example.org/")
	caller := trim_prefix(input.source_principal, "spiffe://example.org")
}
`,

  /** Takes the bearer token apart by itself, as a policy does that nobody verifies tokens for. */
  jwt: `
default decision := {"allowed": false, "http_status": 401, "headers": {"www-authenticate": "Bearer"}}

decision := {"allowed": true, "headers": {"x-user": claims.sub, "x-roles": sprintf("%v", [claims.roles])}} if {
	"admin" in claims.roles
}

claims := payload if {
	[scheme, token] := split(input.attributes.request.http.headers.authorization, " ")
	lower(scheme) == "bearer"
	[valid, _, payload] := io.jwt.decode_verify(token, {"secret": "a secret of at least 32 characters", "alg": "HS256"})
	valid
}
`,

  /** A gRPC service: method by path, message by field. */
  grpc: `
import rego.v1

default decision := false

decision if {
	input.parsed_path == ["shop.v1.Orders", "Place"]
	input.parsed_body.count <= 10
	to_number(input.parsed_body.id) > 0
}
`,

  /** Connections, which have no request. */
  tcp: `
default decision := false

decision if {
	not input.attributes.request
	input.attributes.destination.address.socketAddress.portValue == 5432
}
`,

  /** Rules that disagree on purpose: an evaluation that ends in an error. */
  conflict: `
decision if input.parsed_path

decision := false if input.parsed_path
`,

  /** A set and computed objects in the answer. */
  sets: `
decision := {
	"allowed": true,
	"request_headers_to_remove": {name | some name in ["x-b", "x-a", "x-b"]},
	"headers": {concat("-", ["x-part", format_int(i, 10)]): part | some i, part in input.parsed_path},
	"dynamic_metadata": {"paths": {p | some p in input.parsed_path}, "n": count(input.parsed_path)},
}
`,
};

/** The one rule that both servers ask. */
export const ENTRYPOINT = 'parity/decision';

/** Files by name. A rule that hands over says which policy it is that the request asks for. */
export function policyFiles(): { readonly [file: string]: string } {
  const names = Object.keys(POLICIES);
  const choose = names.map(
    (name) =>
      `decision := data.parity.${name}.decision if input.attributes.contextExtensions.policy == "${name}"\n`,
  );
  return {
    'parity.rego': `package parity\n\n${choose.join('\n')}`,
    ...Object.fromEntries(names.map((name) => [`${name}.rego`, `package parity.${name}\n${POLICIES[name]}`])),
  };
}
