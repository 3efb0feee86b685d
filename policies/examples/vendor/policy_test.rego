package examples.vendor_test

import data.examples.vendor

facts := {
	"identity": {"spiffe_id": "spiffe://parcels.example/tracker"},
	"request": {"method": "GET", "path": "/shipments/7"},
	"token": {"scopes": ["shipments"], "binding": "x5t#S256"},
}

at(text) := time.parse_rfc3339_ns(text)

february := at("2026-02-01T00:00:00Z")

changed(path, value) := decision if {
	asked := json.patch(facts, [{"op": "replace", "path": path, "value": value}])
	decision := vendor.decision with input as asked with time.now_ns as february
}

test_a_vendor_follows_its_shipments if {
	decision := vendor.decision with input as facts with time.now_ns as february
	decision.allowed
	decision.response_headers_to_add == {"x-access-until": "2026-03-31T00:00:00Z"}
}

test_it_ends if {
	decision := vendor.decision with input as facts with time.now_ns as at("2026-03-31T00:00:00Z")
	decision == {"allowed": false, "reason": "the vendor's access has ended"}
}

test_it_has_not_begun if {
	decision := vendor.decision with input as facts with time.now_ns as at("2025-12-31T23:59:59Z")
	not decision.allowed
}

test_nothing_else_is_open if {
	not changed("/request/path", "/orders/7").allowed
	not changed("/token/scopes", ["orders"]).allowed
	not changed("/token/binding", "none").allowed
	not changed("/identity/spiffe_id", "spiffe://parcels.example.evil.example/x").allowed
}

test_a_grant_without_end_opens_nothing if {
	grant := object.union(data.examples.vendor.vendors.parcels, {"until": "2036-01-01T00:00:00Z"})
	decision := vendor.decision with input as facts
		with time.now_ns as february
		with data.examples.vendor.vendors as {"parcels": grant}
	not decision.allowed
}
