# METADATA
# title: Canonical paths
# description: |
#   Compares canonical paths (input.request.path) segment by segment, so that /orders never covers
#   /orders-internal.
package countersign.paths

# METADATA
# title: segments(path)
# description: The segments of a path. The empty one behind a trailing slash is one of them.
segments(path) := split(trim_prefix(path, "/"), "/") if startswith(path, "/")

# METADATA
# title: under(path, prefix)
# description: Holds where the path is the prefix, or lies below it.
under(path, prefix) if path == prefix

under(path, prefix) if startswith(path, concat("", [trim_suffix(prefix, "/"), "/"]))

# METADATA
# title: matches(path, pattern)
# description: |
#   Holds where the path is the pattern's. In a pattern, * and {name} stand for one segment that is not empty,
#   and ** at its end for one or more.
matches(path, pattern) if _covers(segments(pattern), segments(path))

# METADATA
# title: parameters(path, pattern)
# description: The segments that stand where the pattern has {name}, by these names; undefined where it does not match.
parameters(path, pattern) := {name: asked[i] |
	some i, part in segments(pattern)
	startswith(part, "{")
	name := trim(part, "{}")
} if {
	matches(path, pattern)
	asked := segments(path)
}

_covers(wanted, asked) if {
	count(wanted) == count(asked)
	every i, part in wanted {
		_segment(part, asked[i])
	}
}

_covers(wanted, asked) if {
	last := count(wanted) - 1
	wanted[last] == "**"
	count(asked) > last
	asked[last] != ""
	every i, part in array.slice(wanted, 0, last) {
		_segment(part, asked[i])
	}
}

_segment(part, asked) if part == asked

_segment(part, asked) if {
	_wildcard(part)
	asked != ""
}

_wildcard("*")

_wildcard(part) if {
	startswith(part, "{")
	endswith(part, "}")
}
