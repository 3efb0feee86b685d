# METADATA
# title: Binding
# description: Whether a verified token belongs to the workload that brings it.
package countersign.binding

# METADATA
# title: certificate_bound(token)
# description: Holds where the token is bound to the caller's certificate (RFC 8705), so that it is of no use to a thief.
certificate_bound(token) if token.binding == "x5t#S256"

# METADATA
# title: client_is(token, identity)
# description: Holds where the token was issued to the calling workload itself, under its SPIFFE ID.
client_is(token, identity) if token.client_id == identity.spiffe_id

# METADATA
# title: actor_is(token, identity)
# description: Holds where the one who acts now is the calling workload itself.
actor_is(token, identity) if token.actor.sub == identity.spiffe_id
