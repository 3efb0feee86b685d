# METADATA
# title: Who may call what
# description: |
#   Allows a request when the route table (routes/data.json) has a route for its method and path, the route
#   lists the calling workload, and the caller's token was granted the route's scope. Everything else is
#   denied, with the reasons.
package mesh.authz

import data.mesh.routes

# METADATA
# description: The answer to one request, always defined.
# entrypoint: true
decision := {"allowed": true, "reason": "a route allows it"} if allow

decision := {
	"allowed": false,
	"reason": concat("; ", reasons),
	"reasons": reasons,
	"required_scopes": missing_scopes,
} if {
	not allow
}

default allow := false

allow if {
	some route in open_routes
	route.scope in input.token.scopes
}

allow if {
	is_connection
	input.identity.spiffe_id in routes.tcp.callers
}

# The routes that are asked for: none for a connection.
asked_routes contains route if {
	some route in routes.http
	route.method == input.request.method
	covers(route.path, input.request.path)
}

# Those of them that are open to the calling workload.
open_routes contains route if {
	some route in asked_routes
	input.identity.spiffe_id in route.callers
}

# A route covers its own path and all below it. The slash keeps /orders from covering /orders-internal.
covers(prefix, path) if path == prefix

covers(prefix, path) if startswith(path, concat("", [prefix, "/"]))

# A TCP connection has neither a request nor a token; an HTTP request without a token is not one.
is_connection if {
	not input.request
	not input.token
}

reasons contains "no route for this method and path" if {
	not is_connection
	count(asked_routes) == 0
}

reasons contains "this workload may not call this route" if {
	count(asked_routes) > 0
	count(open_routes) == 0
}

reasons contains "the token lacks a scope of this route" if {
	not allow
	count(open_routes) > 0
}

reasons contains "this workload may not open connections" if {
	not allow
	is_connection
}

# Named only where they would help: to a workload that no route lists, no scope opens one.
missing_scopes contains route.scope if {
	not allow
	some route in open_routes
}
