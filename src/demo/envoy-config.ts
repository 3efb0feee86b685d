/** What the Envoy of the demo and of the end-to-end tests is set up with. */
export interface EnvoySetup {
  /** Files: Envoy's own SVID and key, and the roots that it accepts in a TLS handshake. */
  readonly certificate: string;
  readonly key: string;
  readonly roots: string;
  /** Countersign: `host:port` or `unix:///path`. */
  readonly engine: string;
  /** How Envoy proves to Countersign who it is, and whom it expects there. Default: in the clear. */
  readonly engineTls?: {
    /** Files: Envoy's own SVID and key, and the roots of Countersign's trust domain. */
    readonly certificate: string;
    readonly key: string;
    readonly roots: string;
    /** Countersign's. */
    readonly spiffeId: string;
  };
  readonly upstreamPort: number;
  /** Routes before the one that takes everything; `extensions` becomes the route's context_extensions. */
  readonly routes?: readonly {
    readonly prefix: string;
    readonly extensions: { readonly [name: string]: string };
  }[];
  /** Accept client certificates that chain to no root, as a careless operator might. */
  readonly acceptUntrusted?: boolean;
  /** Buffer this much of a body (bytes) and send it along. */
  readonly bodyBytes?: number;
  /** Send headers as `header_map` and the body as `raw_body`. */
  readonly rawHeaders?: boolean;
  /** Let handshakes without a client certificate through. */
  readonly certificateOptional?: boolean;
  /** What becomes of x-forwarded-client-cert. Default SANITIZE_SET, with the URI alone. */
  readonly forwardClientCert?: ForwardClientCert;
  /** Filter timeout, as a protobuf duration. Default 1s. */
  readonly timeout?: string;
}

/** envoy.extensions.filters.network.http_connection_manager.v3: forward_client_cert_details and what belongs to it. */
export interface ForwardClientCert {
  readonly mode: 'SANITIZE' | 'FORWARD_ONLY' | 'APPEND_FORWARD' | 'SANITIZE_SET' | 'ALWAYS_FORWARD_ONLY';
  /** Write JSON (Envoy 1.38 on). */
  readonly json?: boolean;
}

const TYPE = 'type.googleapis.com';

/**
 * An Envoy bootstrap with two listeners on ports that Envoy picks: `http` (mTLS, HTTP/1.1 and HTTP/2,
 * ext_authz HTTP filter, echo upstream) and `tcp` (mTLS, ext_authz network filter, TCP proxy).
 * envoy.config.bootstrap.v3.Bootstrap.
 */
export function envoyBootstrap(setup: EnvoySetup): object {
  return {
    admin: { address: socketAddress('127.0.0.1', 0) },
    node: { id: 'countersign-demo', cluster: 'demo' },
    static_resources: {
      listeners: [httpListener(setup), tcpListener(setup)],
      clusters: [
        { ...cluster('countersign', endpoint(setup.engine), true), ...upstreamTls(setup) },
        cluster('upstream', socketAddress('127.0.0.1', setup.upstreamPort), false),
      ],
    },
  };
}

function httpListener(setup: EnvoySetup): object {
  const authorize = {
    '@type': `${TYPE}/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz`,
    transport_api_version: 'V3',
    grpc_service: { envoy_grpc: { cluster_name: 'countersign' }, timeout: setup.timeout ?? '1s' },
    include_peer_certificate: true,
    failure_mode_allow: false,
    validate_mutations: true,
    clear_route_cache: true,
    ...(setup.rawHeaders && { encode_raw_headers: true }),
    ...(setup.bodyBytes && {
      with_request_body: {
        max_request_bytes: setup.bodyBytes,
        allow_partial_message: true,
        pack_as_bytes: setup.rawHeaders ?? false,
      },
    }),
  };
  const manager = {
    '@type': `${TYPE}/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'http',
    codec_type: 'AUTO',
    ...forwardClientCert(setup.forwardClientCert),
    access_log: [
      {
        name: 'envoy.access_loggers.stdout',
        typed_config: {
          '@type': `${TYPE}/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog`,
          log_format: {
            json_format: {
              path: '%REQ(:PATH)%',
              status: '%RESPONSE_CODE%',
              countersign: '%DYNAMIC_METADATA(envoy.filters.http.ext_authz:countersign)%',
            },
          },
        },
      },
    ],
    route_config: {
      virtual_hosts: [
        {
          name: 'all',
          domains: ['*'],
          routes: [
            ...(setup.routes ?? []).map(({ prefix, extensions }) => ({
              match: { prefix },
              route: { cluster: 'upstream' },
              typed_per_filter_config: {
                'envoy.filters.http.ext_authz': {
                  '@type': `${TYPE}/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute`,
                  check_settings: { context_extensions: extensions },
                },
              },
            })),
            { match: { prefix: '/' }, route: { cluster: 'upstream' } },
          ],
        },
      ],
    },
    http_filters: [
      { name: 'envoy.filters.http.ext_authz', typed_config: authorize },
      {
        name: 'envoy.filters.http.router',
        typed_config: { '@type': `${TYPE}/envoy.extensions.filters.http.router.v3.Router` },
      },
    ],
  };
  return listener(
    'http',
    setup,
    ['h2', 'http/1.1'],
    [{ name: 'envoy.filters.network.http_connection_manager', typed_config: manager }],
  );
}

/** The two options of an HTTP connection manager that say what becomes of x-forwarded-client-cert. */
export function forwardClientCert(forward: ForwardClientCert | undefined): object {
  if (forward === undefined) {
    return { forward_client_cert_details: 'SANITIZE_SET', set_current_client_cert_details: { uri: true } };
  }
  return {
    forward_client_cert_details: forward.mode,
    set_current_client_cert_details: {
      ...{ subject: true, cert: true, chain: true, dns: true, uri: true },
      ...(forward.json && { format: 'JSON' }),
    },
  };
}

function tcpListener(setup: EnvoySetup): object {
  return listener(
    'tcp',
    setup,
    [],
    [
      {
        name: 'envoy.filters.network.ext_authz',
        typed_config: {
          '@type': `${TYPE}/envoy.extensions.filters.network.ext_authz.v3.ExtAuthz`,
          stat_prefix: 'tcp',
          transport_api_version: 'V3',
          grpc_service: { envoy_grpc: { cluster_name: 'countersign' }, timeout: setup.timeout ?? '1s' },
          include_peer_certificate: true,
          failure_mode_allow: false,
        },
      },
      {
        name: 'envoy.filters.network.tcp_proxy',
        typed_config: {
          '@type': `${TYPE}/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy`,
          stat_prefix: 'tcp',
          cluster: 'upstream',
        },
      },
    ],
  );
}

function listener(
  name: string,
  setup: EnvoySetup,
  alpn: readonly string[],
  filters: readonly object[],
): object {
  const tls = {
    '@type': `${TYPE}/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext`,
    require_client_certificate: !setup.certificateOptional,
    common_tls_context: {
      alpn_protocols: alpn,
      tls_certificates: [
        { certificate_chain: { filename: setup.certificate }, private_key: { filename: setup.key } },
      ],
      validation_context: {
        trusted_ca: { filename: setup.roots },
        ...(setup.acceptUntrusted && { trust_chain_verification: 'ACCEPT_UNTRUSTED' }),
      },
    },
  };
  return {
    name,
    address: socketAddress('127.0.0.1', 0),
    filter_chains: [
      { transport_socket: { name: 'envoy.transport_sockets.tls', typed_config: tls }, filters },
    ],
  };
}

function cluster(name: string, address: object, http2: boolean): object {
  return {
    name,
    type: 'STATIC',
    connect_timeout: '1s',
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }],
    },
    ...(http2 && {
      typed_extension_protocol_options: {
        'envoy.extensions.upstreams.http.v3.HttpProtocolOptions': {
          '@type': `${TYPE}/envoy.extensions.upstreams.http.v3.HttpProtocolOptions`,
          explicit_http_config: { http2_protocol_options: {} },
        },
      },
    }),
  };
}

/** envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext of the cluster that ext_authz asks. */
function upstreamTls({ engineTls }: EnvoySetup): object {
  if (engineTls === undefined) return {};
  const { certificate, key, roots, spiffeId } = engineTls;
  return {
    transport_socket: {
      name: 'envoy.transport_sockets.tls',
      typed_config: {
        '@type': `${TYPE}/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext`,
        common_tls_context: {
          tls_certificates: [
            { certificate_chain: { filename: certificate }, private_key: { filename: key } },
          ],
          validation_context: {
            trusted_ca: { filename: roots },
            match_typed_subject_alt_names: [{ san_type: 'URI', matcher: { exact: spiffeId } }],
          },
        },
      },
    },
  };
}

function endpoint(address: string): object {
  if (address.startsWith('unix://')) return { pipe: { path: address.slice('unix://'.length) } };
  const split = address.lastIndexOf(':');
  return socketAddress(address.slice(0, split).replace(/^\[|\]$/g, ''), Number(address.slice(split + 1)));
}

function socketAddress(address: string, port: number): { socket_address: object } {
  return { socket_address: { address, port_value: port } };
}
