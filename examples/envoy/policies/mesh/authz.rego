package mesh.authz

# One service, two callers: what each may do, and with which scope.

default decision := {"allowed": false, "reason": "no rule allows this request"}

decision := {"allowed": true} if {
	input.request.path == "/healthz"
}

decision := {"allowed": true} if {
	input.request.method == "GET"
	startswith(input.request.path, "/orders/")
	input.identity.path == "/ns/shop/sa/frontend"
	"orders:read" in input.token.scopes
}

decision := {"allowed": false, "required_scopes": ["orders:read"]} if {
	input.request.method == "GET"
	startswith(input.request.path, "/orders/")
	input.identity.path == "/ns/shop/sa/frontend"
	not "orders:read" in input.token.scopes
}
