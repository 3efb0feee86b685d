# METADATA
# title: Scopes
# description: What a verified token (input.token) was granted. A token without scopes was granted nothing.
package countersign.scopes

# METADATA
# title: granted(token)
# description: The scopes of a token, as a set.
granted(token) := {scope | some scope in token.scopes}

# METADATA
# title: has(token, scope)
# description: Holds where the token was granted this scope.
has(token, scope) if scope in token.scopes

# METADATA
# title: has_all(token, scopes)
# description: Holds where the token was granted every one of these scopes. Of no scopes at all it was not.
has_all(token, scopes) if {
	count(scopes) > 0
	count(missing(token, scopes)) == 0
}

# METADATA
# title: has_any(token, scopes)
# description: Holds where the token was granted one of these scopes or more.
has_any(token, scopes) if {
	some scope in scopes
	has(token, scope)
}

# METADATA
# title: missing(token, scopes)
# description: Those of these scopes that the token was not granted, as a set, for required_scopes of a denial.
missing(token, scopes) := {scope | some scope in scopes} - granted(token)
