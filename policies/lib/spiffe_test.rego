package countersign.spiffe_test

import data.countersign.spiffe

frontend := "spiffe://example.org/ns/shop/sa/frontend"

test_takes_an_id_apart if {
	spiffe.trust_domain(frontend) == "example.org"
	spiffe.path(frontend) == "/ns/shop/sa/frontend"
	spiffe.segments(frontend) == ["ns", "shop", "sa", "frontend"]
	spiffe.namespace(frontend) == "shop"
	spiffe.service_account(frontend) == "frontend"
}

test_other_forms_have_no_namespace if {
	every id in ["spiffe://example.org/ns/shop", "spiffe://example.org/ns/shop/pod/x", "spiffe://example.org/x/y/sa/z"] {
		not spiffe.namespace(id)
		not spiffe.service_account(id)
	}
}

test_what_is_no_id_has_no_parts if {
	every id in ["", "https://example.org/x", "spiffe://example.org", "spiffe://example.org/", "spiffe:///x", "spiffe://example.org//x", null] {
		not spiffe.trust_domain(id)
		not spiffe.matches(id, "spiffe://example.org/**")
	}
}

test_a_trust_domain_is_compared_whole if {
	spiffe.in_trust_domain(frontend, "example.org")
	not spiffe.in_trust_domain(frontend, "example.or")
	not spiffe.in_trust_domain("spiffe://example.org.evil.example/x", "example.org")
}

test_patterns if {
	every pattern in [frontend, "spiffe://example.org/ns/*/sa/frontend", "spiffe://example.org/**", "spiffe://example.org/ns/shop/**"] {
		spiffe.matches(frontend, pattern)
	}
	every pattern in ["spiffe://*/ns/shop/sa/frontend", "spiffe://example.org/ns/*", "spiffe://example.org/ns/shop/sa/front*", "spiffe://example.org/ns/shop/sa/frontend/**", "**", "example.org/**"] {
		not spiffe.matches(frontend, pattern)
	}
}

test_any_of_several_patterns if {
	spiffe.matches_any(frontend, ["spiffe://other.example/**", "spiffe://example.org/**"])
	not spiffe.matches_any(frontend, [])
}
