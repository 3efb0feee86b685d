import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { exportJWK, generateKeyPair } from 'jose';
import { parse, stringify } from 'yaml';
import { CODES, type Code } from '../../src/cli/doctor/codes.js';
import { examine } from '../../src/cli/doctor/examine.js';
import type { Finding } from '../../src/cli/doctor/finding.js';
import { TestCa } from '../support/ca.js';
import { describeEnvoy, envoyBinary } from '../support/real-envoy.js';

const run = promisify(execFile);
const EXAMPLE = new URL('../../examples/envoy/envoy.yaml', import.meta.url);
const TYPE = 'type.googleapis.com';
const HTTP = `${TYPE}/envoy.extensions.filters.http`;

// Envoy's configuration is as loose as JSON here: the tests change whatever they are about.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Json = any;

/** Envoy's configuration, taken apart. */
interface Parts {
  readonly all: Json;
  readonly listener: Json;
  readonly chain: Json;
  readonly tls: Json;
  readonly validation: Json;
  readonly manager: Json;
  readonly routes: Json[];
  readonly authorize: Json;
  readonly cluster: Json;
}

interface Case {
  /** Makes the example wrong. */
  readonly break: (parts: Parts) => void;
  /** Where it is told, by the end of the key. */
  readonly at: string;
  /** Of Countersign's configuration, in place of the usual lines. */
  readonly identity?: string;
  readonly listen?: string;
  /** What else follows from the same mistake. */
  readonly also?: readonly Code[];
  /** Whether Envoy itself does not take it. */
  readonly refused?: true;
}

let folder: string;
let jwks: string;
let number = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'countersign-doctor-'));
  const now = Date.now();
  const ca = await TestCa.create({ notBefore: now - 3_600_000, notAfter: now + 90 * 24 * 3_600_000 });
  const svid = await ca.issueWithKey({ notBefore: now - 3_600_000, notAfter: now + 3_600_000 });
  await writeFile(join(folder, 'bundle.pem'), ca.certificate.pem);
  await writeFile(join(folder, 'svid.pem'), svid.pem);
  await writeFile(join(folder, 'key.pem'), svid.keyPem);
  await writeFile(join(folder, 'policy.rego'), 'package mesh.authz\n');
  const { publicKey } = await generateKeyPair('ES256', { extractable: true });
  jwks = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'a', alg: 'ES256' }] });
  await writeFile(join(folder, 'jwks.json'), jwks);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

/** The example as it ships, with certificates that are there. */
async function example(): Promise<Parts> {
  const all: Json = parse((await readFile(EXAMPLE, 'utf8')).replaceAll('/run/svid/', `${folder}/`));
  const listener = all.static_resources.listeners[0];
  const [chain] = listener.filter_chains;
  const tls = chain.transport_socket.typed_config;
  const manager = chain.filters[0].typed_config;
  return {
    ...{ all, listener, chain, tls, manager },
    validation: tls.common_tls_context.validation_context,
    routes: manager.route_config.virtual_hosts[0].routes,
    authorize: manager.http_filters[0].typed_config,
    cluster: all.static_resources.clusters[0],
  };
}

async function saved(text: string, name = `${++number}.yaml`): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

function configuration({ identity = '', listen }: Partial<Case> = {}): string {
  return `
listen: { grpc: "${listen ?? 'unix:///run/countersign/countersign.sock'}" }
identity:
  trust_domains: { example.org: { bundle: ./bundle.pem } }
${identity}
token: { issuers: [{ issuer: "https://idp.example.org", audiences: [orders], jwks: ./jwks.json }] }
policy: { path: . }
`;
}

async function findings(config: string, ...envoy: string[]): Promise<readonly Finding[]> {
  const options = { config, envoy, offline: true, env: {}, now: () => Date.now() };
  return (await examine(options)).findings;
}

const XFCC =
  '  source: xfcc\n  xfcc: { from: [spiffe://example.org/ns/edge/sa/gateway], format: text, trusted_hops: 2 }';
const lua = {
  name: 'lua',
  typed_config: {
    '@type': `${HTTP}.lua.v3.Lua`,
    default_source_code: { inline_string: 'function envoy_on_request(handle) end' },
  },
};
const perRoute = (settings: object) => ({ '@type': `${HTTP}.ext_authz.v3.ExtAuthzPerRoute`, ...settings });
const router = { name: 'router', typed_config: { '@type': `${HTTP}.router.v3.Router` } };
const httpService = { server_uri: { uri: 'http://localhost', cluster: 'countersign', timeout: '1s' } };

type EnvoyCode = Exclude<Extract<Code, `envoy_${string}`>, 'envoy_unreadable' | 'envoy_mtls_permissive'>;

const CASES: { readonly [C in EnvoyCode]: Case } = {
  envoy_ext_authz_missing: { break: ({ manager }) => manager.http_filters.shift(), at: 'filter_chains[0]' },
  envoy_ext_authz_absent_here: {
    break: ({ all, chain }) => {
      const manager = structuredClone(chain.filters[0]);
      manager.typed_config.http_filters.shift();
      const address = { socket_address: { address: '127.0.0.1', port_value: 8444 } };
      all.static_resources.listeners.push({ name: 'open', address, filter_chains: [{ filters: [manager] }] });
    },
    at: 'listeners[1].filter_chains[0]',
  },
  envoy_http_service: {
    break: ({ authorize }) => {
      delete authorize.grpc_service;
      authorize.http_service = httpService;
    },
    at: 'http_service',
  },
  envoy_grpc_service_missing: {
    break: ({ authorize }) => delete authorize.grpc_service,
    at: 'http_filters[0].typed_config',
  },
  envoy_google_grpc: {
    break: ({ authorize }) => {
      authorize.grpc_service = {
        google_grpc: { target_uri: '127.0.0.1:9191', stat_prefix: 'c' },
        timeout: '0.5s',
      };
    },
    at: 'google_grpc',
  },
  envoy_transport_version: {
    break: ({ authorize }) => delete authorize.transport_api_version,
    at: 'transport_api_version',
  },
  envoy_failure_mode_allow: {
    break: ({ authorize }) => (authorize.failure_mode_allow = true),
    at: 'failure_mode_allow',
  },
  envoy_failure_header_idle: {
    break: ({ authorize }) => (authorize.failure_mode_allow_header_add = true),
    at: 'failure_mode_allow_header_add',
  },
  envoy_peer_certificate_missing: {
    break: ({ authorize }) => delete authorize.include_peer_certificate,
    at: 'include_peer_certificate',
  },
  envoy_timeout_missing: { break: ({ authorize }) => delete authorize.grpc_service.timeout, at: 'timeout' },
  envoy_timeout_long: { break: ({ authorize }) => (authorize.grpc_service.timeout = '0s'), at: 'timeout' },
  envoy_status_on_error: {
    break: ({ authorize }) => (authorize.status_on_error = { code: 'OK' }),
    at: 'status_on_error.code',
  },
  envoy_filter_partial: {
    break: ({ authorize }) =>
      (authorize.filter_enabled = { default_value: { numerator: 5000, denominator: 'TEN_THOUSAND' } }),
    at: 'filter_enabled',
  },
  envoy_filter_disabled: {
    break: ({ manager }) => (manager.http_filters[0].disabled = true),
    at: 'disabled',
  },
  envoy_partial_body: {
    break: ({ authorize }) =>
      (authorize.with_request_body = { max_request_bytes: 1024, allow_partial_message: true }),
    at: 'allow_partial_message',
  },
  envoy_body_too_large: {
    break: ({ authorize }) => (authorize.with_request_body = { max_request_bytes: 16_777_216 }),
    at: 'max_request_bytes',
  },
  envoy_header_hidden: {
    break: ({ authorize }) =>
      (authorize.allowed_headers = {
        patterns: [{ exact: 'Authorization', ignore_case: true }, { prefix: 'x-' }],
      }),
    at: 'allowed_headers',
  },
  envoy_mutations_unchecked: {
    break: ({ authorize }) => delete authorize.validate_mutations,
    at: 'validate_mutations',
  },
  envoy_route_cache: {
    break: ({ authorize, routes }) => {
      delete authorize.clear_route_cache;
      routes[1].match.headers = [{ name: 'x-countersign-subject', present_match: true }];
    },
    at: 'clear_route_cache',
  },
  envoy_filter_order: {
    break: ({ manager }) => manager.http_filters.splice(1, 0, lua),
    at: 'http_filters[1]',
  },
  envoy_filter_unreached: {
    break: ({ manager }) => manager.http_filters.unshift(manager.http_filters.pop()),
    at: 'http_filters[1]',
    refused: true,
  },
  envoy_tcp_source: {
    break: ({ chain, authorize }) => {
      const { validate_mutations: _, clear_route_cache: __, ...shared } = authorize;
      const [network, proxy] = ['ext_authz', 'tcp_proxy'];
      chain.filters = [
        {
          name: network,
          typed_config: {
            ...shared,
            '@type': `${TYPE}/envoy.extensions.filters.network.ext_authz.v3.ExtAuthz`,
            stat_prefix: 'tcp',
          },
        },
        {
          name: proxy,
          typed_config: {
            '@type': `${TYPE}/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy`,
            ...{ stat_prefix: 'tcp', cluster: 'orders' },
          },
        },
      ];
    },
    identity: XFCC,
    at: 'filters[0].typed_config',
  },
  envoy_answers_before: {
    break: ({ manager }) =>
      manager.http_filters.unshift({
        name: 'cache',
        typed_config: {
          '@type': `${HTTP}.cache.v3.CacheConfig`,
          typed_config: {
            '@type': `${TYPE}/envoy.extensions.http.cache.simple_http_cache.v3.SimpleHttpCacheConfig`,
          },
        },
      }),
    at: 'http_filters[0]',
  },
  envoy_token_stripped: {
    break: ({ manager }) =>
      manager.http_filters.unshift({
        name: 'jwt',
        typed_config: {
          '@type': `${HTTP}.jwt_authn.v3.JwtAuthentication`,
          providers: { idp: { issuer: 'https://idp.example.org', local_jwks: { inline_string: jwks } } },
        },
      }),
    at: 'providers.idp',
  },
  envoy_upgrade_bypass: {
    break: ({ manager }) => (manager.upgrade_configs = [{ upgrade_type: 'websocket', filters: [router] }]),
    at: 'upgrade_configs[0].filters',
  },
  envoy_route_disabled: {
    break: ({ routes }) =>
      (routes[0].typed_per_filter_config = { 'envoy.filters.http.ext_authz': perRoute({ disabled: true }) }),
    at: 'typed_per_filter_config["envoy.filters.http.ext_authz"]',
  },
  envoy_route_headers_kept: {
    break: ({ routes, manager }) => {
      routes[0].typed_per_filter_config = { 'envoy.filters.http.ext_authz': perRoute({ disabled: true }) };
      manager.early_header_mutation_extensions[0].typed_config.mutations.pop();
    },
    at: 'early_header_mutation_extensions',
    also: ['envoy_route_disabled'],
  },
  envoy_route_misconfigured: {
    break: ({ routes }) =>
      (routes[0].typed_per_filter_config['envoy.filters.http.ext_authz'].check_settings.context_extensions = {
        'countersign.tokens': 'off',
      }),
    at: 'context_extensions',
  },
  envoy_route_unmatched: {
    break: ({ manager }) => (manager.http_filters[0].name = 'countersign'),
    at: 'typed_per_filter_config["envoy.filters.http.ext_authz"]',
  },
  envoy_path_not_normalized: { break: ({ manager }) => delete manager.normalize_path, at: 'normalize_path' },
  envoy_slashes_not_merged: { break: ({ manager }) => (manager.merge_slashes = false), at: 'merge_slashes' },
  envoy_escaped_slashes: {
    break: ({ manager }) => (manager.path_with_escaped_slashes_action = 'KEEP_UNCHANGED'),
    at: 'path_with_escaped_slashes_action',
  },
  envoy_underscores: {
    break: ({ manager }) => delete manager.common_http_protocol_options,
    at: 'headers_with_underscores_action',
  },
  envoy_client_address: {
    break: ({ manager }) => delete manager.use_remote_address,
    at: 'use_remote_address',
  },
  envoy_internal_addresses: {
    break: ({ manager }) =>
      (manager.internal_address_config = { cidr_ranges: [{ address_prefix: '0.0.0.0', prefix_len: 0 }] }),
    at: 'cidr_ranges[0]',
  },
  envoy_xfcc_forwarded: {
    break: ({ manager }) => (manager.forward_client_cert_details = 'ALWAYS_FORWARD_ONLY'),
    at: 'forward_client_cert_details',
  },
  envoy_xfcc_appended: {
    break: ({ manager }) => (manager.forward_client_cert_details = 'APPEND_FORWARD'),
    at: 'forward_client_cert_details',
  },
  envoy_xfcc_removed: { break: () => {}, identity: XFCC, at: 'forward_client_cert_details' },
  envoy_xfcc_hops: {
    break: ({ manager }) => {
      manager.forward_client_cert_details = 'APPEND_FORWARD';
      manager.set_current_client_cert_details = { cert: true, uri: true };
    },
    identity: XFCC.replace('trusted_hops: 2', 'trusted_hops: 1'),
    at: 'forward_client_cert_details',
  },
  envoy_xfcc_details: {
    break: ({ manager }) => {
      manager.forward_client_cert_details = 'APPEND_FORWARD';
      manager.set_current_client_cert_details = { uri: true };
    },
    identity: XFCC,
    at: 'set_current_client_cert_details.cert',
  },
  envoy_xfcc_format: {
    break: ({ manager }) => {
      manager.forward_client_cert_details = 'APPEND_FORWARD';
      manager.set_current_client_cert_details = { cert: true, format: 'JSON' };
    },
    identity: XFCC,
    at: 'set_current_client_cert_details.format',
  },
  envoy_listener_plain: { break: ({ chain }) => delete chain.transport_socket, at: 'transport_socket' },
  envoy_client_certificate_optional: {
    break: ({ tls }) => (tls.require_client_certificate = false),
    at: 'require_client_certificate',
  },
  envoy_accept_untrusted: {
    break: ({ validation }) => (validation.trust_chain_verification = 'ACCEPT_UNTRUSTED'),
    at: 'trust_chain_verification',
  },
  envoy_validation_missing: {
    break: ({ tls }) => delete tls.common_tls_context.validation_context,
    at: 'validation_context',
  },
  envoy_expired_allowed: {
    break: ({ validation }) => (validation.allow_expired_certificate = true),
    at: 'allow_expired_certificate',
  },
  envoy_tls_old: {
    break: ({ tls }) => (tls.common_tls_context.tls_params = { tls_minimum_protocol_version: 'TLSv1_0' }),
    at: 'tls_minimum_protocol_version',
  },
  envoy_cluster_missing: {
    break: ({ authorize }) => (authorize.grpc_service.envoy_grpc.cluster_name = 'countersing'),
    at: 'cluster_name',
  },
  envoy_cluster_address: { break: () => {}, listen: 'unix:///run/other.sock', at: 'endpoint.address' },
  envoy_cluster_port: {
    break: ({ cluster }) =>
      (cluster.load_assignment.endpoints[0].lb_endpoints[0].endpoint.address = {
        socket_address: { address: '192.0.2.1', port_value: 9192 },
      }),
    listen: '192.0.2.1:9191',
    at: 'port_value',
  },
  envoy_cluster_http1: {
    break: ({ cluster }) => {
      delete cluster.typed_extension_protocol_options;
      delete cluster.health_checks; // Envoy refuses those of gRPC without HTTP/2
    },
    at: 'typed_extension_protocol_options',
  },
  envoy_cluster_tls: {
    break: ({ cluster }) =>
      (cluster.transport_socket = {
        name: 'tls',
        typed_config: { '@type': `${TYPE}/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext` },
      }),
    at: 'transport_socket',
  },
  envoy_cluster_health: {
    break: ({ cluster }) => (cluster.health_checks[0].grpc_health_check.service_name = 'countersign'),
    at: 'service_name',
  },
  envoy_cluster_limit: { break: ({ cluster }) => delete cluster.circuit_breakers, at: 'circuit_breakers' },
};

/** Not of Envoy's side, but true of the configuration that the case needs. */
const OURS: readonly Code[] = ['config_listen_open'];

describe('countersign doctor --envoy', () => {
  test('has a case for every finding about Envoy', () => {
    const codes = Object.keys(CODES).filter((code) => code.startsWith('envoy_'));
    expect([...Object.keys(CASES), 'envoy_unreadable', 'envoy_mtls_permissive'].sort()).toEqual(codes.sort());
  });

  test.each(['envoy', 'spire'])('finds nothing wrong with examples/%s', async (name) => {
    const [config, envoy] = ['countersign.yaml', 'envoy.yaml'].map(
      (file) => new URL(`../../examples/${name}/${file}`, import.meta.url).pathname,
    );
    const env = { BUNDLE: join(folder, 'bundle.pem') };
    const options = { config: config!, envoy: [envoy!], offline: true, env, now: () => Date.now() };
    expect((await examine(options)).findings).toEqual([]);
  });

  test('an Envoy that speaks in the clear to listen.tls', async () => {
    const tls =
      'tls: { certificate: ./svid.pem, private_key: ./key.pem, clients: ["spiffe://example.org/**"] }';
    const config = await saved(configuration().replace('listen: { ', `listen: { ${tls}, `));
    const found = await findings(config, EXAMPLE.pathname);
    expect(found.filter(({ code }) => code !== 'secret_exposed')).toMatchObject([
      { code: 'envoy_cluster_tls' },
    ]);
  });

  test.each(Object.entries(CASES))('%s', async (code, one) => {
    const parts = await example();
    one.break(parts);
    const config = await saved(configuration(one));
    const file = await saved(stringify(parts.all, { aliasDuplicateObjects: false }));
    const found = (await findings(config, file)).filter((finding) => !OURS.includes(finding.code));
    expect(found.map((finding) => finding.code).sort()).toEqual([code, ...(one.also ?? [])].sort());
    const finding = found.find((other) => other.code === code)!;
    expect(finding.key?.endsWith(one.at)).toBe(true);
    expect(finding).toMatchObject({
      file,
      severity: CODES[code as Code].severity,
      follows: CODES[code as Code].follows,
    });
    expect(finding.line).toBeGreaterThan(1);
  });

  test('points at the line', async () => {
    const text = await readFile(EXAMPLE, 'utf8');
    const wrong = text.replace('failure_mode_allow: false', 'failure_mode_allow: true');
    const line = wrong.split('\n').findIndex((one) => one.includes('failure_mode_allow: true')) + 1;
    const file = await saved(wrong);
    expect(await findings(await saved(configuration()), file)).toMatchObject([
      { code: 'envoy_failure_mode_allow', line, file },
    ]);
  });

  test('reads JSON, the names that JSON has, and numbers for enums, as dumps have them', async () => {
    const { listener, all } = await example();
    const manager = listener.filter_chains[0].filters[0].typed_config;
    manager.http_filters[0].typed_config.failureModeAllow = true;
    delete manager.http_filters[0].typed_config.failure_mode_allow;
    manager.path_with_escaped_slashes_action = 1;
    const dump = {
      configs: [
        { '@type': `${TYPE}/envoy.admin.v3.BootstrapConfigDump`, bootstrap: all },
        {
          '@type': `${TYPE}/envoy.admin.v3.ClustersConfigDump`,
          static_clusters: [{ cluster: all.static_resources.clusters[0] }],
        },
        {
          '@type': `${TYPE}/envoy.admin.v3.ListenersConfigDump`,
          dynamic_listeners: [
            {
              name: 'inbound',
              active_state: {
                listener: { '@type': `${TYPE}/envoy.config.listener.v3.Listener`, ...listener },
              },
              error_state: { failed_configuration: {} },
            },
          ],
        },
        {
          '@type': `${TYPE}/envoy.admin.v3.RoutesConfigDump`,
          dynamic_route_configs: [
            {
              route_config: {
                name: 'elsewhere',
                virtual_hosts: [
                  {
                    ...{ name: 'v', domains: ['*'] },
                    routes: [
                      {
                        ...{ match: { prefix: '/open' }, route: { cluster: 'orders' } },
                        typed_per_filter_config: {
                          'envoy.filters.http.ext_authz': perRoute({ disabled: true }),
                        },
                      },
                    ],
                  },
                ],
              },
            },
          ],
        },
      ],
    };
    const file = await saved(JSON.stringify(dump, null, 1), 'dump.json');
    const found = await findings(await saved(configuration()), file);
    expect(found.map(({ code }) => code).sort()).toEqual([
      'envoy_escaped_slashes',
      'envoy_failure_mode_allow',
      'envoy_route_disabled',
    ]);
    expect(found.find(({ code }) => code === 'envoy_route_disabled')!.wrong).toContain('prefix /open');
  });

  test('takes several files together: listeners from LDS, clusters from CDS', async () => {
    const { listener, cluster } = await example();
    delete cluster.typed_extension_protocol_options;
    const resources = (type: string, ...given: object[]) =>
      stringify({ resources: given.map((resource) => ({ '@type': `${TYPE}/${type}`, ...resource })) });
    const lds = await saved(resources('envoy.config.listener.v3.Listener', listener));
    const cds = await saved(resources('envoy.config.cluster.v3.Cluster', cluster));
    const found = await findings(await saved(configuration()), lds, cds);
    expect(found).toMatchObject([{ code: 'envoy_cluster_http1', file: cds }]);
  });

  test('says of a file that it cannot be read, or is nothing that is known', async () => {
    const config = await saved(configuration());
    const broken = await saved('static_resources: [\n');
    expect(await findings(config, join(folder, 'nowhere.yaml'))).toMatchObject([
      { code: 'envoy_unreadable', wrong: expect.stringContaining('ENOENT') as string },
    ]);
    expect(await findings(config, broken)).toMatchObject([{ code: 'envoy_unreadable', file: broken }]);
    expect(await findings(config, await saved('hello: world\n'))).toMatchObject([
      { code: 'envoy_unreadable', line: 1 },
    ]);
    expect(await findings(config, await saved('['.repeat(100_000)))).toMatchObject([
      { code: 'envoy_unreadable', wrong: expect.stringContaining('deep') as string },
    ]);
  });

  test('headers that Countersign does not need may be hidden, and a regex is matched as a whole', async () => {
    const { all, authorize } = await example();
    authorize.allowed_headers = { patterns: [{ safe_regex: { regex: 'author.*' } }, { suffix: '-type' }] };
    authorize.disallowed_headers = { patterns: [{ exact: 'cookie' }, { safe_regex: { regex: 'auth' } }] };
    expect(await findings(await saved(configuration()), await saved(stringify(all)))).toEqual([]);
  });
});

describe("countersign doctor --envoy, with Istio's manifests", () => {
  const files = ['mesh-config.yaml', 'authorization-policy.yaml', 'countersign.deployment.yaml'];
  const istio = (name: string) => new URL(`../../examples/istio/${name}`, import.meta.url).pathname;

  /** The shipped configuration, on files that are there. */
  async function shipped(): Promise<string> {
    const text = await readFile(istio('countersign.yaml'), 'utf8');
    return saved(
      text
        .replace('/etc/istio-ca/root-cert.pem', `${folder}/bundle.pem`)
        .replace('/etc/countersign/policies', folder),
    );
  }

  test('finds nothing in the example but that the endpoint is open', async () => {
    expect(await findings(await shipped(), ...files.map(istio))).toMatchObject([
      { code: 'config_listen_open' },
    ]);
  });

  test('finds what lets requests through, hang, or come in plain text', async () => {
    const config = await shipped();
    const mesh = await readFile(istio('mesh-config.yaml'), 'utf8');
    const policy = await readFile(istio('authorization-policy.yaml'), 'utf8');
    const open = await saved(
      mesh.replace('failOpen: false', 'failOpen: true').replace(/ *timeout: .*\n/, ''),
    );
    const plain = await saved(
      policy
        .replace('STRICT', 'PERMISSIVE')
        .replace('include_peer_certificate: true', 'include_peer_certificate: false'),
    );
    const codes = (await findings(config, open, plain)).map(({ code }) => code);
    expect(codes.sort()).toEqual([
      'config_listen_open',
      'envoy_failure_mode_allow',
      'envoy_mtls_permissive',
      'envoy_peer_certificate_missing',
      'envoy_peer_certificate_missing',
      'envoy_timeout_long',
    ]);
  });
});

describeEnvoy('what doctor finds is what a real Envoy takes', () => {
  test('the example', async () => {
    const { all } = await example();
    expect(await verdict(all)).toBe('OK');
  });

  test.each(Object.entries(CASES))('%s', async (_, one) => {
    const parts = await example();
    one.break(parts);
    const said = await verdict(parts.all);
    if (one.refused) expect(said).not.toBe('OK');
    else expect(said).toBe('OK');
  });
});

/** Envoy's own word for a configuration. */
async function verdict(bootstrap: Json): Promise<string> {
  const file = await saved(JSON.stringify(bootstrap), `${++number}.json`);
  return run(envoyBinary, ['--mode', 'validate', '-c', file, '--log-level', 'error'], {
    timeout: 20_000,
  }).then(
    () => 'OK',
    (error: { stderr?: string; message: string }) => error.stderr ?? error.message,
  );
}
