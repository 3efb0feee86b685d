import type { Bundle } from '../../src/policy/bundle.js';

/**
 * Policies of different kinds: one whose results may be remembered, one that asks the time and reads tokens by
 * itself, one that looks at the whole input, and one that fails.
 */
export const POLICIES: readonly string[] = [
  `package mesh.authz

default decision := {"allowed": false, "reason": "no route", "required_scopes": ["orders:write"]}

decision := {
	"allowed": true,
	"reason": data.mark,
	"headers": {"x-user": input.token.subject, "x-mark": data.mark},
} if {
	some route in data.routes
	regex.match(route.pattern, input.request.path)
	input.request.method in route.methods
	route.scope in input.token.scopes
	endswith(input.identity.spiffe_id, route.caller)
}
`,
  `package mesh.authz

decision := {"allowed": allow, "reason": reason, "dynamic_metadata": {"mark": data.mark, "kid": kid}}

default kid := "none"

kid := io.jwt.decode(bearer)[0].kid

bearer := trim_prefix(input.attributes.request.http.headers.authorization, "Bearer ")

default allow := false

allow if {
	io.jwt.decode(bearer)[1].exp * 1000000000 > time.now_ns()
	glob.match("/orders/*", ["/"], input.request.path)
	json.match_schema({"tenant": input.attributes.request.http.headers["x-tenant"]}, data.schema)[0]
}

default reason := "off hours"

reason := "on hours" if (time.now_ns() / 1000000000) % 7 < 3
`,
  `package mesh.authz

decision := {
	"allowed": startswith(crypto.sha256(json.marshal(input)), "0") == false,
	"reason": sprintf("%v %v", [data.mark, count(json.marshal(input))]),
	"response_headers_to_add": {"x-mark": [data.mark, "again"]},
}
`,
  `package mesh.authz

decision := true if input.request.method == "GET"

decision := false if input.attributes.request.http.headers["x-conflict"]

decision := data.otherwise if input.request.method == "POST"
`,
];

/** Each policy is loaded with each of these. */
export const DATA: readonly Bundle['data'][] = ['one', 'two', 'three', 'four'].map((mark, n) => ({
  mark,
  routes: [
    {
      pattern: ['^/orders(/.*)?$', '^/orders/[0-9]$', '^/admin/', '^/'][n]!,
      methods: n % 2 === 0 ? ['GET'] : ['GET', 'POST', 'DELETE'],
      scope: n === 2 ? 'admin' : 'orders:read',
      caller: n === 3 ? '/frontend' : '',
    },
  ],
  schema: {
    type: 'object',
    properties: { tenant: { enum: n === 0 ? ['red'] : ['red', 'blue', String(n)] } },
  },
  otherwise: [true, false, { allowed: true, reason: 'post' }, 'nonsense'][n]!,
}));
