package examples.deploy_gate_test

import data.examples.deploy_gate

facts := {
	"identity": {"spiffe_id": "spiffe://example.org/ns/ci-production/sa/runner"},
	"request": {"method": "POST", "path": "/deploy/production"},
	"token": {
		"issuer": "https://pipelines.example.org",
		"audience": ["deploy"],
		"claims": {
			"repository": "shop/orders",
			"ref": "refs/heads/main",
			"environment": "production",
			"event_name": "push",
			"sha": "9f86d08",
		},
	},
}

changed(path, value) := decision if {
	decision := deploy_gate.decision with input as json.patch(facts, [{"op": "replace", "path": path, "value": value}])
}

test_main_deploys_production if {
	decision := deploy_gate.decision with input as facts
	decision == {"allowed": true, "reason": "commit 9f86d08 to production"}
}

test_every_claim_counts if {
	every path, value in {
		"/token/claims/repository": "mallory/orders",
		"/token/claims/ref": "refs/heads/main2",
		"/token/claims/environment": "staging",
		"/token/claims/event_name": "pull_request",
		"/token/issuer": "https://elsewhere.example",
		"/token/audience": ["deploy", "registry"],
		"/identity/spiffe_id": "spiffe://example.org/ns/ci-staging/sa/runner",
		"/request/path": "/deploy/staging",
		"/request/method": "GET",
	} {
		not changed(path, value).allowed
	}
}

test_an_unknown_environment_has_no_gate if not changed("/request/path", "/deploy/lab").allowed
