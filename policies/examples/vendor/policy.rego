# METADATA
# title: A vendor's access, with its end
# description: |
#   Protects what a third party may reach: each vendor has a trust domain or workloads of its own, a list of routes,
#   and a grant that begins and ends. When the contract is over the access is over, whether or not somebody thinks
#   of it, and no grant may be longer than ninety days. It answers NHI3:2025 Vulnerable Third-Party NHI.
package examples.vendor

import data.countersign.binding
import data.countersign.routes
import data.countersign.spiffe
import data.countersign.windows

# METADATA
# description: Allows what the routes of a vendor whose grant is open say.
# entrypoint: true
default decision := {"allowed": false, "reason": "no vendor's workload"}

decision := object.union(answer, {"response_headers_to_add": {"x-access-until": vendor.until}}) if {
	answer := routes.decision(vendor.routes, input)
	windows.within(vendor, time.now_ns())
	windows.at_most(vendor, "2160h")
	binding.certificate_bound(input.token)
}

decision := {"allowed": false, "reason": "the vendor's access has ended"} if windows.expired(vendor, time.now_ns())

# The one vendor that the caller belongs to.
vendor := one if {
	some one in data.examples.vendor.vendors
	spiffe.matches_any(input.identity.spiffe_id, one.workloads)
}
