package mesh.authz_test

import data.mesh.authz

frontend := "spiffe://example.org/ns/shop/sa/frontend"

reporting := "spiffe://example.org/ns/shop/sa/reporting"

request(workload, method, path, scopes) := {
	"identity": {"spiffe_id": workload},
	"token": {"scopes": scopes},
	"request": {"method": method, "path": path},
}

connection(workload) := {"identity": {"spiffe_id": workload}}

test_frontend_reads_orders if {
	authz.decision.allowed with input as request(frontend, "GET", "/orders", ["orders:read"])
}

test_frontend_reads_one_order if {
	authz.decision.allowed with input as request(frontend, "GET", "/orders/7", ["profile", "orders:read"])
}

test_frontend_writes_orders if {
	authz.decision.allowed with input as request(frontend, "POST", "/orders", ["orders:write"])
}

test_reporting_reads_reports if {
	authz.decision.allowed with input as request(reporting, "GET", "/reports/2024", ["reports:read"])
}

test_missing_scope_is_named if {
	decision := authz.decision with input as request(frontend, "POST", "/orders", ["orders:read"])
	decision == {
		"allowed": false,
		"reason": "the token lacks a scope of this route",
		"reasons": {"the token lacks a scope of this route"},
		"required_scopes": {"orders:write"},
	}
}

test_request_without_token_is_denied if {
	decision := authz.decision with input as {
		"identity": {"spiffe_id": frontend},
		"request": {"method": "GET", "path": "/orders"},
	}
	not decision.allowed
	decision.required_scopes == {"orders:read"}
}

test_scope_does_not_help_another_workload if {
	decision := authz.decision with input as request(reporting, "GET", "/orders", ["orders:read"])
	not decision.allowed
	decision.reasons == {"this workload may not call this route"}
	decision.required_scopes == set()
}

test_prefix_ends_at_a_segment if {
	decision := authz.decision with input as request(frontend, "GET", "/orders-internal", ["orders:read"])
	not decision.allowed
	decision.reasons == {"no route for this method and path"}
}

test_other_method_is_denied if {
	decision := authz.decision with input as request(frontend, "DELETE", "/orders/7", ["orders:write"])
	not decision.allowed
	decision.reasons == {"no route for this method and path"}
}

test_listed_workload_opens_a_connection if {
	authz.decision.allowed with input as connection(frontend)
}

test_other_workload_opens_no_connection if {
	decision := authz.decision with input as connection(reporting)
	not decision.allowed
	decision.reasons == {"this workload may not open connections"}
}

test_nothing_known_is_denied if {
	decision := authz.decision with input as {}
	not decision.allowed
	count(decision.reasons) > 0
}
