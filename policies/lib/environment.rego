# METADATA
# title: Environments
# description: |
#   Keeps environments apart. A table, which is data, gives each environment's name the patterns of the SPIFFE
#   IDs that belong to it (countersign.spiffe).
package countersign.environment

import data.countersign.spiffe

# METADATA
# title: names(table, id)
# description: The environments that a SPIFFE ID belongs to, as a set.
names(table, id) := {name |
	some name, patterns in table
	spiffe.matches_any(id, patterns)
}

# METADATA
# title: of(table, id)
# description: The one environment that a SPIFFE ID belongs to; undefined where it is none or several.
of(table, id) := name if {
	some name in names(table, id)
	count(names(table, id)) == 1
}

# METADATA
# title: same(table, one, other)
# description: Holds where two SPIFFE IDs belong to one environment, and each to that one alone.
same(table, one, other) if of(table, one) == of(table, other)
