# METADATA
# title: A gate in front of deployments
# description: |
#   Protects the API that deploys: a pipeline shows the OIDC token of its run, and may deploy an environment only
#   from the repository, the branch and the deployment environment that data.json names for it. A fork, another
#   branch or a stray workflow gets nothing, and no secret lies in the pipeline. It answers NHI6:2025 Insecure
#   Cloud Deployment Configurations.
package examples.deploy_gate

import data.countersign.audience
import data.countersign.environment
import data.countersign.paths

# METADATA
# description: Allows a deployment that the gate of its environment knows.
# entrypoint: true
default decision := {"allowed": false, "reason": "no gate lets this pipeline deploy here"}

decision := {"allowed": true, "reason": reason} if {
	input.request.method == "POST"
	target := paths.parameters(input.request.path, "/deploy/{environment}").environment
	opens(data.examples.deploy_gate.gates[target], target)
	reason := concat(" ", ["commit", input.token.claims.sha, "to", target])
}

# The token is of the pipelines' issuer, for this API alone, and of exactly the run that the gate names; the runner
# is a workload of the same environment.
opens(gate, target) if {
	input.token.issuer == data.examples.deploy_gate.issuer
	audience.only(input.token, "deploy")
	claims := input.token.claims
	claims.repository == gate.repository
	claims.ref == gate.ref
	claims.environment == target
	claims.event_name in {"push", "workflow_dispatch"}
	environment.of(data.examples.deploy_gate.runners, input.identity.spiffe_id) == target
}
