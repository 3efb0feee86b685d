# METADATA
# title: Route tables
# description: |
#   Decides by a table of routes, which is data: a list of objects with methods, path (a pattern of
#   countersign.paths), callers (patterns of countersign.spiffe) and scopes, all of which the token needs. A
#   route without scopes needs no token.
package countersign.routes

import data.countersign.paths
import data.countersign.scopes
import data.countersign.spiffe

# METADATA
# title: asked(table, request)
# description: The routes for the request's method and path, as a set.
asked(table, request) := {route |
	some route in table
	request.method in route.methods
	paths.matches(request.path, route.path)
}

# METADATA
# title: open(table, request, identity)
# description: Those of the asked routes that the workload may call, its token aside.
open(table, request, identity) := {route |
	some route in asked(table, request)
	spiffe.matches_any(identity.spiffe_id, route.callers)
}

# METADATA
# title: allows(table, facts)
# description: Holds where a route is open to the workload, and the token has the route's scopes. The facts are the input.
allows(table, facts) if {
	some route in open(table, facts.request, facts.identity)
	_granted(route, facts)
}

# METADATA
# title: decision(table, facts)
# description: A whole answer by the table, with the reason, and the scopes that would have helped.
decision(table, facts) := {"allowed": true, "reason": "a route allows it"} if {
	allows(table, facts)
} else := {"allowed": false, "reason": "the token lacks a scope of this route", "required_scopes": lacking} if {
	some _ in open(table, facts.request, facts.identity)
	lacking := {scope |
		some route in open(table, facts.request, facts.identity)
		some scope in scopes.missing(object.get(facts, "token", {"scopes": []}), route.scopes)
	}
} else := {"allowed": false, "reason": "this workload may not call this route"} if {
	some _ in asked(table, facts.request)
} else := {"allowed": false, "reason": "no route for this method and path"}

_granted(route, _) if count(object.get(route, "scopes", [])) == 0

_granted(route, facts) if scopes.has_all(facts.token, route.scopes)
