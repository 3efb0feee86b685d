# METADATA
# title: Service to service, a scope for each route
# description: |
#   Protects a service that others call on their own behalf: each route names the workloads that may call it and
#   the scope that their token needs, so that an identity can do what its own routes say and nothing else. It
#   answers NHI5:2025 Overprivileged NHI.
package examples.service_to_service

import data.countersign.routes

# METADATA
# description: Decides by the route table in data.json.
# entrypoint: true
decision := routes.decision(data.examples.service_to_service.table, input)
