# METADATA
# title: Audiences
# description: For whom a verified token (input.token) is meant.
package countersign.audience

# METADATA
# title: includes(token, name)
# description: Holds where the token names this audience, perhaps among others.
includes(token, name) if name in token.audience

# METADATA
# title: only(token, name)
# description: Holds where the token names this audience and no other, so that nobody else can replay it here.
only(token, name) if {one | some one in token.audience} == {name}
