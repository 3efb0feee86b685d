package countersign.token_test

import data.countersign.actor
import data.countersign.audience
import data.countersign.binding
import data.countersign.scopes

token := {
	"subject": "alice",
	"client_id": "spiffe://example.org/ns/shop/sa/frontend",
	"audience": ["orders", "billing"],
	"scopes": ["orders:read", "orders:write"],
	"actor": {"sub": "frontend", "act": {"sub": "gateway"}},
	"claims": {"act": {"sub": "frontend", "act": {"sub": "gateway", "act": {"sub": "edge"}}}},
	"binding": "x5t#S256",
}

bare := {"subject": "frontend", "scopes": [], "audience": ["orders"], "claims": {}, "binding": "none"}

test_scopes if {
	scopes.granted(token) == {"orders:read", "orders:write"}
	scopes.has(token, "orders:read")
	scopes.has_all(token, ["orders:read", "orders:write"])
	scopes.has_any(token, ["admin", "orders:read"])
	scopes.missing(token, ["orders:read", "admin"]) == {"admin"}
	not scopes.has(token, "orders")
	not scopes.has_all(token, ["orders:read", "admin"])
	not scopes.has_any(token, ["admin"])
}

test_no_scopes_are_never_enough if {
	not scopes.has_all(token, [])
	not scopes.has_any(token, [])
	not scopes.has_all(bare, ["orders:read"])
}

test_audiences if {
	audience.includes(token, "orders")
	not audience.includes(token, "order")
	not audience.only(token, "orders")
	audience.only(bare, "orders")
	not audience.only({"audience": []}, "orders")
}

test_actors if {
	actor.current(token) == "frontend"
	actor.delegated(token)
	actor.chain(token) == ["frontend", "gateway", "edge"]
	actor.at_most(token, 3)
	not actor.at_most(token, 2)
	actor.acts_for(token, "frontend", "alice")
	not actor.acts_for(token, "gateway", "alice")
}

test_a_token_of_its_own_has_no_actor if {
	not actor.current(bare)
	not actor.delegated(bare)
	not actor.acts_for(bare, "frontend", "frontend")
	not actor.delegated({"subject": "a", "actor": {"sub": "a"}})
}

test_binding if {
	identity := {"spiffe_id": "spiffe://example.org/ns/shop/sa/frontend"}
	binding.certificate_bound(token)
	binding.client_is(token, identity)
	not binding.certificate_bound(bare)
	not binding.client_is(bare, identity)
	not binding.actor_is(token, identity)
	binding.actor_is({"actor": {"sub": identity.spiffe_id}}, identity)
}
