# METADATA
# title: SPIFFE IDs
# description: |
#   Takes SPIFFE IDs apart and compares them. Every function is undefined for a text that is no SPIFFE ID of a
#   workload, so that a rule which uses one does not hold.
package countersign.spiffe

# METADATA
# title: trust_domain(id)
# description: The trust domain of a SPIFFE ID.
trust_domain(id) := _parts(id)[0]

# METADATA
# title: path(id)
# description: The path of a SPIFFE ID, with its leading slash.
path(id) := concat("", ["/", concat("/", segments(id))])

# METADATA
# title: segments(id)
# description: The segments of a SPIFFE ID's path.
segments(id) := array.slice(_parts(id), 1, count(_parts(id)))

# METADATA
# title: in_trust_domain(id, name)
# description: Holds where the ID belongs to that trust domain, and not merely to one that begins like it.
in_trust_domain(id, name) if trust_domain(id) == name

# METADATA
# title: namespace(id)
# description: The Kubernetes namespace of an ID of the form /ns/NAMESPACE/sa/ACCOUNT.
namespace(id) := parts[1] if {
	parts := segments(id)
	count(parts) == 4
	parts[0] == "ns"
	parts[2] == "sa"
}

# METADATA
# title: service_account(id)
# description: The Kubernetes service account of an ID of the form /ns/NAMESPACE/sa/ACCOUNT.
service_account(id) := segments(id)[3] if namespace(id)

# METADATA
# title: matches(id, pattern)
# description: |
#   Holds where the ID is the pattern's. In a pattern, * stands for one segment, and ** at its end for one
#   segment or more; a trust domain has no wildcards.
matches(id, pattern) if {
	asked := _parts(id)
	wanted := split(trim_prefix(pattern, "spiffe://"), "/")
	startswith(pattern, "spiffe://")
	asked[0] == wanted[0]
	_covers(wanted, asked)
}

# METADATA
# title: matches_any(id, patterns)
# description: Holds where the ID is one of the patterns', as matches has it.
matches_any(id, patterns) if {
	some pattern in patterns
	matches(id, pattern)
}

_covers(wanted, asked) if {
	count(wanted) == count(asked)
	every i, part in wanted {
		_segment(part, asked[i])
	}
}

_covers(wanted, asked) if {
	last := count(wanted) - 1
	last > 0
	wanted[last] == "**"
	count(asked) > last
	every i, part in array.slice(wanted, 0, last) {
		_segment(part, asked[i])
	}
}

_segment(part, asked) if part == asked

_segment("*", _)

# Trust domain and path segments; none of them is empty.
_parts(id) := parts if {
	startswith(id, "spiffe://")
	parts := split(trim_prefix(id, "spiffe://"), "/")
	count(parts) > 1
	every part in parts {
		part != ""
	}
}
