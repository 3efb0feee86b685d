package examples.break_glass_test

import data.examples.break_glass

facts := {
	"identity": {"spiffe_id": "spiffe://example.org/ns/ops/sa/gateway"},
	"request": {"method": "POST", "path": "/databases/orders/query"},
	"token": {"subject": "alice", "binding": "x5t#S256"},
	"attributes": {"request": {"http": {"headers": {"x-incident": "INC-1042"}}}},
}

night := time.parse_rfc3339_ns("2026-02-01T03:00:00Z")

changed(path, value) := decision if {
	asked := json.patch(facts, [{"op": "replace", "path": path, "value": value}])
	decision := break_glass.decision with input as asked with time.now_ns as night
}

test_a_person_on_call_gets_in_and_is_audited if {
	decision := break_glass.decision with input as facts with time.now_ns as night
	decision.allowed
	decision.headers == {"x-audit": "required"}
	decision.dynamic_metadata.obligation == {
		"audit": true,
		"incident": "INC-1042",
		"person": "alice",
		"until": "2026-02-01T06:00:00Z",
	}
}

test_every_part_of_it_counts if {
	not changed("/token/subject", "bob").allowed
	not changed("/token/binding", "none").allowed
	not changed("/identity/spiffe_id", "spiffe://example.org/ns/shop/sa/frontend").allowed
	not changed("/attributes/request/http/headers/x-incident", "INC-1").allowed
}

test_it_is_over_after_the_grant if {
	decision := break_glass.decision with input as facts with time.now_ns as time.parse_rfc3339_ns("2026-02-01T06:00:00Z")
	not decision.allowed
}

test_a_standing_grant_opens_nothing if {
	standing := {"person": "alice", "incident": "INC-1042", "from": "2020-01-01T00:00:00Z", "until": "2030-01-01T00:00:00Z"}
	decision := break_glass.decision with input as facts
		with time.now_ns as night
		with data.examples.break_glass.grants as [standing]
	not decision.allowed
}
