package mesh.authz

# One service, callers of two trust domains. What a SPIFFE ID may do names the trust domain: a path alone may be
# anyone's, since each domain gives out its own.

default decision := {"allowed": false, "reason": "no rule allows this request"}

decision := {"allowed": true} if {
	startswith(input.request.path, "/orders/")
	input.identity.spiffe_id == "spiffe://example.org/ns/shop/sa/frontend"
	"orders:read" in input.token.scopes
}

decision := {"allowed": true} if {
	input.request.path == "/stock"
	input.identity.trust_domain == "partner.example"
	"stock:read" in input.token.scopes
}

decision := {"allowed": false, "reason": "partners see the stock, and no orders"} if {
	startswith(input.request.path, "/orders/")
	input.identity.trust_domain == "partner.example"
}
