import { mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ForwardClientCert, forwardClientCert } from '../../src/demo/envoy-config.js';
import { type EnvoyProcess, spawnEnvoy } from '../../src/demo/envoy.js';
import type { Svid } from '../../src/demo/trust-domain.js';
import { freePort } from '../support/free-port.js';
import { envoyBinary } from '../support/real-envoy.js';

export interface EdgeOptions {
  readonly folder: string;
  /** PEM of the roots that both of its sides accept. */
  readonly roots: string;
  /** What it is to clients, and to the next proxy. */
  readonly svid: Svid;
  readonly forward: ForwardClientCert;
  /** The port of the next proxy, which it speaks mTLS to. */
  readonly next: number;
  /** Whether clients show a certificate. Default true. */
  readonly mutual?: boolean;
}

const TYPE = 'type.googleapis.com';

/** A real Envoy that ends the client's mTLS and passes requests on to the next one, over mTLS of its own. */
export async function startEdge(options: EdgeOptions): Promise<EnvoyProcess & { readonly port: number }> {
  const place = await mkdtemp(join(options.folder, 'edge-'));
  const write = async (name: string, text: string) => {
    await writeFile(join(place, name), text, { mode: 0o600 });
    return join(place, name);
  };
  const port = await freePort();
  const tls = {
    tls_certificates: [
      {
        certificate_chain: { filename: await write('svid.pem', options.svid.chainPem) },
        private_key: { filename: await write('key.pem', options.svid.keyPem) },
      },
    ],
    validation_context: { trusted_ca: { filename: await write('roots.pem', options.roots) } },
  };
  const config = await write('envoy.json', JSON.stringify(bootstrap(options, port, tls)));
  return { ...(await spawnEnvoy(envoyBinary, config, place)), port };
}

function bootstrap({ forward, next, mutual = true }: EdgeOptions, port: number, tls: object): object {
  const manager = {
    '@type': `${TYPE}/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'edge',
    ...forwardClientCert(forward),
    route_config: {
      virtual_hosts: [
        { name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'next' } }] },
      ],
    },
    http_filters: [
      {
        name: 'envoy.filters.http.router',
        typed_config: { '@type': `${TYPE}/envoy.extensions.filters.http.router.v3.Router` },
      },
    ],
  };
  const downstream = {
    '@type': `${TYPE}/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext`,
    require_client_certificate: mutual,
    common_tls_context: tls,
  };
  const upstream = {
    '@type': `${TYPE}/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext`,
    common_tls_context: tls,
  };
  return {
    static_resources: {
      listeners: [
        {
          name: 'edge',
          address: address(port),
          filter_chains: [
            {
              transport_socket: { name: 'envoy.transport_sockets.tls', typed_config: downstream },
              filters: [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager }],
            },
          ],
        },
      ],
      clusters: [
        {
          name: 'next',
          type: 'STATIC',
          transport_socket: { name: 'envoy.transport_sockets.tls', typed_config: upstream },
          load_assignment: {
            cluster_name: 'next',
            endpoints: [{ lb_endpoints: [{ endpoint: { address: address(next) } }] }],
          },
        },
      ],
    },
  };
}

function address(port: number): object {
  return { socket_address: { address: '127.0.0.1', port_value: port } };
}
