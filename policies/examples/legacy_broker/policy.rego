# METADATA
# title: A legacy workload behind its broker
# description: |
#   Protects a service from callers that can do neither mTLS nor OAuth: they speak to a broker in their own network,
#   which has an identity, and only the broker is trusted to say for whom it calls. What it may say is bound to the
#   systems that data.json lists for it, and what it forwards of the old system's password is taken off the
#   request. It answers NHI4:2025 Insecure Authentication.
package examples.legacy_broker

import data.countersign.paths

# METADATA
# description: Allows a broker to call for the systems behind it, each on its own routes.
# entrypoint: true
default decision := {"allowed": false, "reason": "no broker of this system"}

decision := {
	"allowed": true,
	"headers": {"x-legacy-system": system},
	"request_headers_to_remove": ["authorization", "x-legacy-password"],
} if {
	input.request.method in behind[system].methods
	paths.under(input.request.path, behind[system].prefix)
}

# The name that the broker gives: a header, worth no more than the broker's own identity.
system := input.attributes.request.http.headers["x-legacy-system"]

behind := data.examples.legacy_broker.brokers[input.identity.spiffe_id]
