package countersign.routes_test

import data.countersign.paths
import data.countersign.routes

frontend := "spiffe://example.org/ns/shop/sa/frontend"

table := [
	{"methods": ["GET"], "path": "/orders/{id}", "callers": ["spiffe://example.org/ns/shop/**"], "scopes": ["orders:read"]},
	{"methods": ["GET"], "path": "/health", "callers": ["spiffe://example.org/**"], "scopes": []},
]

facts(method, path, scopes) := {
	"identity": {"spiffe_id": frontend},
	"request": {"method": method, "path": path},
	"token": {"scopes": scopes},
}

test_paths_are_compared_by_segment if {
	paths.segments("/a/b/") == ["a", "b", ""]
	not paths.segments("a")
	paths.under("/orders", "/orders")
	paths.under("/orders/7", "/orders")
	paths.under("/orders/7", "/orders/")
	paths.under("/orders", "/")
	not paths.under("/orders-internal", "/orders")
}

test_patterns if {
	paths.matches("/orders/7/lines", "/orders/{id}/lines")
	paths.matches("/orders/7", "/orders/*")
	paths.matches("/orders/7/lines", "/orders/**")
	every path in ["/orders", "/orders/", "/orders/7/8"] {
		not paths.matches(path, "/orders/{id}")
	}
	not paths.matches("/orders", "/orders/**")
	not paths.matches("/orders/", "/orders/**")
	not paths.matches("/reports/7", "/orders/**")
}

test_parameters if {
	paths.parameters("/shops/3/orders/7", "/shops/{shop}/orders/{id}") == {"shop": "3", "id": "7"}
	paths.parameters("/health", "/health") == {}
	not paths.parameters("/shops/3", "/shops/{shop}/orders/{id}")
}

test_a_route_allows if {
	routes.allows(table, facts("GET", "/orders/7", ["orders:read"]))
	routes.decision(table, facts("GET", "/orders/7", ["orders:read"])) == {"allowed": true, "reason": "a route allows it"}
}

test_a_route_without_scopes_needs_no_token if {
	routes.allows(table, object.remove(facts("GET", "/health", []), ["token"]))
}

test_a_missing_scope_is_named if {
	every asked in [facts("GET", "/orders/7", ["x"]), object.remove(facts("GET", "/orders/7", []), ["token"])] {
		decision := routes.decision(table, asked)
		not decision.allowed
		decision.required_scopes == {"orders:read"}
	}
}

test_another_workload_is_denied if {
	asked := object.union(facts("GET", "/orders/7", ["orders:read"]), {"identity": {"spiffe_id": "spiffe://example.org/ns/x/sa/y"}})
	routes.decision(table, asked) == {"allowed": false, "reason": "this workload may not call this route"}
}

test_no_route_is_denied if {
	every asked in [facts("POST", "/orders/7", ["orders:read"]), facts("GET", "/orders", ["orders:read"]), facts("get", "/health", [])] {
		routes.decision(table, asked) == {"allowed": false, "reason": "no route for this method and path"}
	}
}
