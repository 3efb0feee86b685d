package mesh.authz_test

import data.mesh.authz

frontend := "spiffe://example.org/ns/shop/sa/frontend"

request(workload, method, path, scopes) := {
	"identity": {"spiffe_id": workload},
	"request": {"method": method, "path": path},
	"token": {"scopes": scopes},
}

test_frontend_reads_orders if {
	authz.decision.allowed with input as request(frontend, "GET", "/orders/7", ["orders:read"])
}

test_missing_scope_is_named if {
	decision := authz.decision with input as request(frontend, "POST", "/orders", ["orders:read"])
	not decision.allowed
	decision.required_scopes == {"orders:write"}
}

test_other_workload_is_denied if {
	other := "spiffe://example.org/ns/shop/sa/reporting"
	decision := authz.decision with input as request(other, "GET", "/orders", ["orders:read"])
	decision == {"allowed": false, "reason": "no route lists this workload, method and path"}
}

test_prefix_ends_at_a_segment if {
	decision := authz.decision with input as request(frontend, "GET", "/orders-internal", ["orders:read"])
	not decision.allowed
}

test_nothing_known_is_denied if {
	decision := authz.decision with input as {}
	not decision.allowed
}
