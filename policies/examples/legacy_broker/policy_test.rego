package examples.legacy_broker_test

import data.examples.legacy_broker

asked(workload, system, method, path) := decision if {
	decision := legacy_broker.decision with input as {
		"identity": {"spiffe_id": workload},
		"request": {"method": method, "path": path},
		"attributes": {"request": {"http": {"headers": {"x-legacy-system": system}}}},
	}
}

broker := "spiffe://example.org/ns/plant/sa/broker"

test_the_broker_calls_for_what_is_behind_it if {
	decision := asked(broker, "warehouse-as400", "POST", "/stock/7")
	decision.allowed
	"x-legacy-password" in decision.request_headers_to_remove
	asked(broker, "label-printer", "GET", "/labels").allowed
}

test_each_system_keeps_to_its_routes if {
	not asked(broker, "label-printer", "POST", "/labels").allowed
	not asked(broker, "label-printer", "GET", "/stock").allowed
	not asked(broker, "warehouse-as400", "GET", "/stock-prices").allowed
}

test_nobody_else_may_say_so if {
	not asked("spiffe://example.org/ns/shop/sa/frontend", "warehouse-as400", "GET", "/stock").allowed
	not asked(broker, "payroll", "GET", "/stock").allowed
}

test_without_a_name_nothing_is_allowed if {
	decision := legacy_broker.decision with input as {"identity": {"spiffe_id": broker}, "request": {"method": "GET", "path": "/stock"}}
	not decision.allowed
}
