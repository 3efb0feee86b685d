# METADATA
# title: An agent that calls tools
# description: |
#   Protects an MCP server (Model Context Protocol over HTTP, JSON-RPC 2.0): each agent, known by its SPIFFE ID, may
#   call the tools that are listed for it and no other, whatever its model was talked into. Every message of a batch
#   has to be allowed; what cannot be read in full, an unknown method, and members that a lenient reader might take
#   for others are denied. It answers NHI5:2025 Overprivileged NHI.
package examples.mcp_agent

import data.countersign.scopes
import data.countersign.spiffe

# METADATA
# description: Allows a request all of whose messages the agent may send.
# entrypoint: true
default decision := {"allowed": false, "reason": "the agent may not do this"}

decision := {"allowed": true, "reason": concat(", ", sort({message.method | some message in messages}))} if {
	readable
	every message in messages {
		allowed(message)
	}
}

# The stream of the server's own messages, and the end of a session.
decision := {"allowed": true, "reason": "a stream or an end"} if {
	input.request.method in {"GET", "DELETE"}
	input.parsed_body == null
	input.truncated_body == false
	agent
}

decision := {"allowed": false, "reason": "the body is not there in full", "http_status": 413} if input.truncated_body

# METADATA
# description: The tools of the calling agent; undefined for one that is not known.
agent := one if {
	some one in data.examples.mcp_agent.agents
	spiffe.matches(input.identity.spiffe_id, one.workload)
}

messages := [input.parsed_body] if is_object(input.parsed_body)

messages := input.parsed_body if is_array(input.parsed_body)

readable if {
	input.request.method == "POST"
	input.truncated_body == false
	count(messages) > 0
	count(messages) <= 10
	every message in messages {
		message.jsonrpc == "2.0"
		object.keys(message) - {"jsonrpc", "id", "method", "params"} == set()
	}
}

allowed(message) if {
	agent
	message.method in data.examples.mcp_agent.open_methods
}

allowed(message) if {
	message.method == "tools/call"
	object.keys(message.params) - {"name", "arguments", "_meta"} == set()
	message.params.name in agent.tools
	scopes.has(input.token, "tools:call")
}
