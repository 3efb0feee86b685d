import { join } from 'node:path';

/** Of a server whose socket, keys and data are in the folder. @param endpointPort where it serves its bundle, if at all */
export function serverConfiguration(
  trustDomain: string,
  folder: string,
  port: number,
  endpointPort?: number,
): string {
  const federation = `
  federation {
    bundle_endpoint {
      address = "127.0.0.1"
      port = ${endpointPort}
      refresh_hint = "2s"
      profile "https_spiffe" {}
    }
  }`;
  return `
server {
  trust_domain = "${trustDomain}"
  bind_address = "127.0.0.1"
  bind_port = "${port}"
  socket_path = "${join(folder, 's')}"
  data_dir = "${folder}"
  experimental {
    cache_reload_interval = "1s"
  }
${endpointPort === undefined ? '' : federation}
}
plugins {
  DataStore "sql" {
    plugin_data {
      database_type = "sqlite3"
      connection_string = "${join(folder, 'data.sqlite3')}"
    }
  }
  KeyManager "memory" {
    plugin_data {}
  }
  NodeAttestor "join_token" {
    plugin_data {}
  }
}
`;
}

/** Of an agent that tells workloads apart by user and by the path of their program. */
export function agentConfiguration(
  trustDomain: string,
  folder: string,
  serverPort: number,
  bundlePath: string,
): string {
  return `
agent {
  trust_domain = "${trustDomain}"
  server_address = "127.0.0.1"
  server_port = "${serverPort}"
  socket_path = "${join(folder, 'a')}"
  data_dir = "${folder}"
  trust_bundle_path = "${bundlePath}"
  experimental {
    sync_interval = "1s"
  }
}
plugins {
  KeyManager "disk" {
    plugin_data {
      directory = "${folder}"
    }
  }
  NodeAttestor "join_token" {
    plugin_data {}
  }
  WorkloadAttestor "unix" {
    plugin_data {
      discover_workload_path = true
      workload_size_limit = -1
    }
  }
}
`;
}
