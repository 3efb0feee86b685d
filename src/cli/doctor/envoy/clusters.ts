import { isLoopback } from '../../../config/location.js';
import { isFault, parseListenAddress } from '../../../config/listen-address.js';
import { report, type EnvoyContext } from './context.js';
import type { EnvoyNode } from './document.js';

const HTTP_OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
/** What Countersign's health answers for. */
const SERVICES = ['', 'envoy.service.auth.v3.Authorization'];

/** The clusters that ext_authz filters ask, by the fields that name them. */
export function checkClusters(context: EnvoyContext, named: readonly EnvoyNode[]): void {
  const { clusters, moreClusters } = context.pieces;
  const checked = new Set<string>();
  for (const name of named) {
    const wanted = name.text();
    if (wanted === undefined || checked.has(wanted)) continue;
    checked.add(wanted);
    const cluster = clusters.find((one) => one.get('name').text() === wanted);
    if (cluster !== undefined) checkCluster(context, cluster);
    else if (clusters.length > 0 && !moreClusters) {
      report(
        context,
        'envoy_cluster_missing',
        name,
        `there is no cluster called ${wanted}`,
        'add it, or write the name of the one that Countersign is in',
      );
    }
  }
}

function checkCluster(context: EnvoyContext, cluster: EnvoyNode): void {
  const options = cluster.get('typed_extension_protocol_options').member(HTTP_OPTIONS);
  const http2 =
    options.message.get('explicit_http_config', 'http2_protocol_options').exists ||
    cluster.get('http2_protocol_options').exists;
  if (!http2) {
    report(
      context,
      'envoy_cluster_http1',
      cluster.get('typed_extension_protocol_options'),
      'the cluster of Countersign does not speak HTTP/2',
      `write typed_extension_protocol_options: { ${HTTP_OPTIONS}: { '@type': type.googleapis.com/${HTTP_OPTIONS}, explicit_http_config: { http2_protocol_options: {} } } }`,
    );
  }
  for (const endpoint of endpointsOf(cluster)) checkAddress(context, endpoint.get('endpoint', 'address'));
  for (const check of cluster.get('health_checks').items()) {
    const service = check.get('grpc_health_check', 'service_name');
    if (SERVICES.includes(service.text() ?? '')) continue;
    report(
      context,
      'envoy_cluster_health',
      service,
      `Countersign knows no service called ${service.text()}`,
      `write ${SERVICES[1]}, or leave service_name out`,
    );
  }
  checkLimit(context, cluster);
  checkTransport(context, cluster);
}

function endpointsOf(cluster: EnvoyNode): readonly EnvoyNode[] {
  return cluster
    .get('load_assignment', 'endpoints')
    .items()
    .flatMap((locality) => locality.get('lb_endpoints').items());
}

/** Against listen.grpc. Between machines a service may map ports; on this one nothing does. */
function checkAddress(context: EnvoyContext, address: EnvoyNode): void {
  const { config } = context;
  const listens = config && parseListenAddress(config.listen.grpc);
  if (listens === undefined || isFault(listens) || !address.exists) return;
  const pipe = address.get('pipe', 'path');
  const host = address.get('socket_address', 'address').text();
  const port = address.get('socket_address', 'port_value');
  const mismatch = (what: string) =>
    report(
      context,
      'envoy_cluster_address',
      address,
      `Envoy asks ${what}, and Countersign listens on ${config!.listen.grpc}`,
      'write the same address in both',
    );
  if (pipe.exists) {
    if (!('socketPath' in listens) || listens.socketPath !== pipe.text())
      mismatch(`the Unix socket ${pipe.text()}`);
    return;
  }
  if (host === undefined) return;
  if ('socketPath' in listens) return mismatch(`${host}:${port.text()}`);
  const near = isLoopback(host.includes(':') ? `[${host}]` : host);
  if (!near && isLoopback(listens.host.includes(':') ? `[${listens.host}]` : listens.host)) {
    return mismatch(`${host}, where loopback is not reached,`);
  }
  if (listens.port === 0 || listens.port === port.number()) return;
  if (near) return mismatch(`port ${port.text()}`);
  report(
    context,
    'envoy_cluster_port',
    port,
    `Envoy asks port ${port.text()} of ${host}, and Countersign listens on ${listens.port}`,
    'write the same port in both, unless a service maps it',
  );
}

/** envoy.config.cluster.v3.CircuitBreakers: of the default priority, which decisions are asked with. */
function checkLimit(context: EnvoyContext, cluster: EnvoyNode): void {
  const most = cluster
    .get('circuit_breakers', 'thresholds')
    .items()
    .filter((threshold) => threshold.get('priority').oneOf(['DEFAULT', 'HIGH']) === 'DEFAULT')
    .map((threshold) => threshold.get('max_requests').number());
  if (most.some((number) => number !== undefined)) return;
  report(
    context,
    'envoy_cluster_limit',
    cluster.get('circuit_breakers'),
    "the cluster of Countersign has Envoy's default limits",
    'set circuit_breakers: { thresholds: [{ max_requests: 10000 }] } where that many requests can be under way',
  );
}

function checkTransport(context: EnvoyContext, cluster: EnvoyNode): void {
  if (context.config === undefined) return;
  const socket = cluster.get('transport_socket');
  const speaksTls = socket.get('typed_config').type.endsWith('.UpstreamTlsContext');
  const served = context.config.listen.tls !== undefined;
  if (speaksTls === served) return;
  const [wrong, mend] = served
    ? [
        'Envoy speaks in the clear to an endpoint with listen.tls',
        'write a transport_socket with the SVID of this Envoy (docs/identity.md)',
      ]
    : [
        'Envoy speaks TLS to an endpoint that does not',
        'leave transport_socket out, or configure listen.tls',
      ];
  report(context, 'envoy_cluster_tls', socket, wrong, mend);
}
