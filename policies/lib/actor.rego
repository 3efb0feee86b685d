# METADATA
# title: The actor chain
# description: |
#   Who acts, and for whom (RFC 8693 section 4.1). Only the outermost actor acts now; those nested in it are
#   history, and no ground to allow anything.
package countersign.actor

# METADATA
# title: current(token)
# description: The subject of the outermost actor; undefined for a token that nobody was delegated.
current(token) := token.actor.sub

# METADATA
# title: delegated(token)
# description: Holds where somebody other than the token's subject acts.
delegated(token) if current(token) != token.subject

# METADATA
# title: chain(token)
# description: The subjects of all actors, the one who acts now first.
chain(token) := [node.sub |
	walk(token.claims.act, [path, node])
	every member in path {
		member == "act"
	}
]

# METADATA
# title: at_most(token, depth)
# description: Holds where no more than so many actors stand between the subject and this request.
at_most(token, depth) if count(chain(token)) <= depth

# METADATA
# title: acts_for(token, actor, subject)
# description: Holds where this actor acts now, and for this subject.
acts_for(token, actor, subject) if {
	current(token) == actor
	token.subject == subject
}
