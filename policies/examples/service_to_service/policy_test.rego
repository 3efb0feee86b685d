package examples.service_to_service_test

import data.examples.service_to_service

asked(account, method, scopes) := decision if {
	decision := service_to_service.decision with input as {
		"identity": {"spiffe_id": concat("", ["spiffe://example.org/ns/shop/sa/", account])},
		"request": {"method": method, "path": "/orders/7"},
		"token": {"scopes": scopes},
	}
}

test_every_shop_workload_reads if {
	asked("frontend", "GET", ["orders:read"]).allowed
	asked("reporting", "GET", ["orders:read"]).allowed
}

test_the_frontend_alone_writes if {
	asked("frontend", "PUT", ["orders:read", "orders:write"]).allowed
	not asked("reporting", "PUT", ["orders:read", "orders:write"]).allowed
}

test_every_scope_is_needed if asked("frontend", "POST", ["orders:write"]).required_scopes == {"orders:read"}

test_other_methods_are_denied if not asked("frontend", "DELETE", ["orders:read", "orders:write"]).allowed
