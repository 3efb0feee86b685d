package examples.mcp_agent_test

import data.examples.mcp_agent

facts(account, body) := {
	"identity": {"spiffe_id": concat("", ["spiffe://example.org/ns/agents/sa/", account])},
	"request": {"method": "POST", "path": "/mcp"},
	"token": {"scopes": ["tools:call"]},
	"parsed_body": body,
	"truncated_body": false,
}

asked(account, body) := decision if {
	decision := mcp_agent.decision with input as facts(account, body)
}

call(tool) := {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": {"q": "x"}}}

ping := {"jsonrpc": "2.0", "id": 2, "method": "ping"}

test_each_agent_has_its_own_tools if {
	asked("support", call("add_comment")) == {"allowed": true, "reason": "tools/call"}
	asked("reporting", call("search_tickets")).allowed
	not asked("reporting", call("add_comment")).allowed
	not asked("support", call("delete_ticket")).allowed
	not asked("stranger", call("search_tickets")).allowed
}

test_open_methods_are_for_known_agents if {
	asked("support", ping).allowed
	not asked("stranger", ping).allowed
}

test_unknown_methods_are_denied if {
	every method in ["tools/callx", "Tools/Call", "resources/read", 7, null] {
		not asked("support", {"jsonrpc": "2.0", "id": 1, "method": method}).allowed
	}
}

test_every_message_of_a_batch_counts if {
	asked("support", [ping, call("add_comment")]) == {"allowed": true, "reason": "ping, tools/call"}
	not asked("support", [ping, call("delete_ticket")]).allowed
	not asked("support", []).allowed
	not asked("support", [ping | some _ in numbers.range(1, 11)]).allowed
}

test_what_is_no_message_is_denied if {
	every body in [null, "x", 1, {}, [null], [[]], {"jsonrpc": "1.0", "method": "ping"}] {
		not asked("support", body).allowed
	}
}

test_look_alikes_are_denied if {
	not asked("support", object.union(ping, {"Method": "tools/call"})).allowed
	not asked("support", object.union(call("add_comment"), {"params": {"Name": "delete_ticket"}})).allowed
}

test_a_body_that_is_cut_off_is_denied if {
	decision := mcp_agent.decision with input as object.union(facts("support", null), {"truncated_body": true})
	decision.http_status == 413
}

test_a_tool_needs_the_scope if {
	decision := mcp_agent.decision with input as object.union(facts("support", call("add_comment")), {"token": {"scopes": []}})
	not decision.allowed
}

test_a_stream_is_for_known_agents if {
	stream := object.union(facts("support", null), {"request": {"method": "GET"}})
	decision := mcp_agent.decision with input as stream
	decision.allowed
	other := mcp_agent.decision with input as object.union(stream, {"identity": {"spiffe_id": "spiffe://example.org/x"}})
	not other.allowed
}
