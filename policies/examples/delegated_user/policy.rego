# METADATA
# title: A user's rights in the hands of a service
# description: |
#   Protects a user's data that a service reads for the user, with a token from a token exchange (RFC 8693): the
#   user is the subject, the service is the actor, and only the one who acts now counts. The service has no rights
#   of its own here, and a person cannot borrow its identity, so that it stays visible who did what. It answers
#   NHI10:2025 Human Use of NHI.
package examples.delegated_user

import data.countersign.actor
import data.countersign.binding
import data.countersign.paths
import data.countersign.scopes

# METADATA
# description: Allows a user's own service to read that user's accounts.
# entrypoint: true
default decision := {"allowed": false, "reason": "no delegation allows it"}

decision := {"allowed": true, "headers": {"x-on-behalf-of": input.token.subject}} if {
	input.request.method == "GET"
	delegation_is_sound
	scopes.has(input.token, "accounts:read")
	paths.parameters(input.request.path, "/users/{user}/accounts").user == input.token.subject
}

decision := {"allowed": false, "reason": "the token lacks a scope", "required_scopes": ["accounts:read"]} if {
	delegation_is_sound
	not scopes.has(input.token, "accounts:read")
}

# The actor is the workload that calls, it is one that users may hand their rights to, and it was handed them by
# the user itself or by one service in between.
delegation_is_sound if {
	actor.delegated(input.token)
	binding.actor_is(input.token, input.identity)
	actor.current(input.token) in data.examples.delegated_user.delegates
	actor.at_most(input.token, 2)
}
