# METADATA
# title: Who may call what
# description: |
#   Allows a request when a route of data.mesh.routes lists its method, its path and the calling workload, and the
#   caller's token was granted the route's scope. Everything else is denied.
package mesh.authz

# METADATA
# description: The answer to one request.
# entrypoint: true
default decision := {"allowed": false, "reason": "no route lists this workload, method and path"}

decision := {"allowed": true} if allowed

decision := {
	"allowed": false,
	"reason": "the token lacks the scope of this route",
	"required_scopes": scopes,
} if {
	not allowed
	count(scopes) > 0
}

allowed if {
	some scope in scopes
	scope in input.token.scopes
}

# The scopes that open what is asked for to this workload.
scopes contains route.scope if {
	some route in data.mesh.routes
	input.request.method in route.methods
	covers(route.path, input.request.path)
	input.identity.spiffe_id in route.callers
}

# A route covers its own path and all below it. The slash keeps /orders from covering /orders-internal.
covers(prefix, path) if path == prefix

covers(prefix, path) if startswith(path, concat("", [prefix, "/"]))
