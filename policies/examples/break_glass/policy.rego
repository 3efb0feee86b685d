# METADATA
# title: Break glass, and say why
# description: |
#   Protects what nobody has standing access to. In an emergency a person on call may reach it through the
#   operations gateway, with a token that is bound to it, an incident's number, and a grant of at most four hours:
#   no secret waits somewhere for the day. Each such answer carries an obligation to audit it, in Envoy's metadata
#   and in a header. It answers NHI7:2025 Long-Lived Secrets.
package examples.break_glass

import data.countersign.binding
import data.countersign.windows

# METADATA
# description: Allows what an open grant covers, with the obligation to audit it.
# entrypoint: true
default decision := {"allowed": false, "reason": "no emergency grant is open"}

decision := {
	"allowed": true,
	"reason": concat(" ", ["break glass for", incident]),
	"headers": {"x-audit": "required"},
	"dynamic_metadata": {"obligation": {
		"audit": true,
		"incident": incident,
		"person": input.token.subject,
		"until": grant.until,
	}},
} if {
	input.identity.spiffe_id == data.examples.break_glass.gateway
	binding.certificate_bound(input.token)
	some grant in data.examples.break_glass.grants
	grant.person == input.token.subject
	grant.incident == incident
	windows.within(grant, time.now_ns())
	windows.at_most(grant, "4h")
}

# Written by the person, and worth something only where a grant names the same.
incident := input.attributes.request.http.headers["x-incident"]
