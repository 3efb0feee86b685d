package examples.delegated_user_test

import data.examples.delegated_user

portal := "spiffe://example.org/ns/bank/sa/portal"

facts := {
	"identity": {"spiffe_id": portal},
	"request": {"method": "GET", "path": "/users/alice/accounts"},
	"token": {
		"subject": "alice",
		"scopes": ["accounts:read"],
		"actor": {"sub": portal},
		"claims": {"act": {"sub": portal}},
	},
}

changed(patches) := decision if {
	decision := delegated_user.decision with input as json.patch(facts, patches)
}

test_the_portal_reads_for_alice if {
	decision := delegated_user.decision with input as facts
	decision == {"allowed": true, "headers": {"x-on-behalf-of": "alice"}}
}

test_it_reads_nothing_of_others if not changed([{"op": "replace", "path": "/request/path", "value": "/users/bob/accounts"}]).allowed

test_it_does_not_write if not changed([{"op": "replace", "path": "/request/method", "value": "PUT"}]).allowed

test_its_own_token_is_no_delegation if not changed([{"op": "remove", "path": "/token/actor"}]).allowed

test_a_former_actor_does_not_count if {
	inner := {"sub": "spiffe://example.org/ns/bank/sa/mailer", "act": {"sub": portal}}
	not changed([{"op": "replace", "path": "/token/actor", "value": inner}]).allowed
}

test_another_workload_cannot_use_the_token if {
	not changed([{"op": "replace", "path": "/identity/spiffe_id", "value": "spiffe://example.org/ns/bank/sa/mailer"}]).allowed
}

test_a_long_chain_is_denied if {
	long := {"sub": portal, "act": {"sub": "b", "act": {"sub": "c"}}}
	not changed([{"op": "replace", "path": "/token/claims/act", "value": long}]).allowed
}

test_the_missing_scope_is_named if {
	changed([{"op": "replace", "path": "/token/scopes", "value": []}]).required_scopes == ["accounts:read"]
}
