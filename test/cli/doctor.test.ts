import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { createServer as createNetServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Server as GrpcServer, ServerCredentials, status } from '@grpc/grpc-js';
import { exportJWK, generateKeyPair } from 'jose';
import { CODES, type Code } from '../../src/cli/doctor/codes.js';
import { examine } from '../../src/cli/doctor/examine.js';
import type { Notebook } from '../../src/cli/doctor/finding.js';
import { reportJson, reportText } from '../../src/cli/doctor/report.js';
import { authorizationService } from '../../src/server/proto.js';
import { BundleEndpoint } from '../support/bundle-endpoint.js';
import { EKU, encodeDer, extension, TestCa } from '../support/ca.js';
import { FakeWorkloadApi } from '../support/fake-workload-api.js';
import { freePort } from '../support/free-port.js';

/** The rights of files are nothing to root. */
const IS_ROOT = process.getuid?.() === 0;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

let folder: string;
let ca: TestCa;
let closed: number;
let number = 0;
const cleanup: (() => unknown)[] = [];
const dates = (from: number, to: number) => ({ notBefore: Date.now() + from, notAfter: Date.now() + to });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'doctor-'));
  ca = await TestCa.create(dates(-HOUR, 90 * DAY));
  closed = await freePort();
  await writeFile(join(folder, 'bundle.pem'), ca.certificate.pem);
  await writeFile(join(folder, 'policy.rego'), 'package mesh.authz\n');
  await writeFile(join(folder, 'jwks.json'), await keySet('ES256'));
});

afterAll(async () => {
  for (const clean of cleanup.reverse()) await clean();
  await rm(folder, { recursive: true, force: true });
});

async function keySet(algorithm: string, kid = 'a'): Promise<string> {
  const { publicKey } = await generateKeyPair(algorithm, { extractable: true });
  return JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid, alg: algorithm }] });
}

interface Sections {
  readonly listen?: string;
  readonly identity?: string;
  readonly token?: string;
  readonly policy?: string;
  readonly more?: string;
}

const IDENTITY = '{ trust_domains: { example.org: { bundle: ./bundle.pem } } }';
const issuer = (jwks: string, more = '') =>
  `{ issuers: [{ issuer: "https://idp.example.org", audiences: [orders], ${jwks}${more} }] }`;

async function saved(text: string, name = `${++number}.yaml`): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

/** Sections as they are all right where nothing is said of them. */
async function diagnose(
  sections: Sections,
  options: { online?: boolean; now?: () => number } = {},
): Promise<Notebook> {
  const config = await saved(
    [
      `listen: ${sections.listen ?? '{ grpc: "127.0.0.1:0", admin: "off" }'}`,
      `identity: ${sections.identity ?? IDENTITY}`,
      `token: ${sections.token ?? issuer('jwks: ./jwks.json')}`,
      `policy: ${sections.policy ?? '{ path: . }'}`,
      sections.more ?? '',
    ].join('\n'),
  );
  const { online = false, now = () => Date.now() } = options;
  return examine({ config, envoy: [], offline: !online, env: {}, now });
}

const codes = ({ findings }: Notebook) => findings.map(({ code }) => code).sort();

async function bundleOf(...authorities: TestCa[]): Promise<string> {
  const name = `${++number}.pem`;
  await writeFile(join(folder, name), authorities.map(({ certificate }) => certificate.pem).join(''));
  return `{ trust_domains: { example.org: { bundle: ./${name} } } }`;
}

function end(server: Server): void {
  server.close();
  server.closeAllConnections();
}

/** An HTTP server on loopback that answers by path. */
async function http(answers: { readonly [path: string]: string }, date?: string): Promise<string> {
  const server: Server = createServer((request, response) => {
    if (date !== undefined) response.setHeader('date', date);
    const body = answers[request.url!];
    response.writeHead(body === undefined ? 404 : 200).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanup.push(() => end(server));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('countersign doctor, of the configuration', () => {
  test('finds nothing wrong with one that is well', async () => {
    expect(codes(await diagnose({}))).toEqual([]);
  });

  test('tells the errors of the file as findings, with line and key', async () => {
    const notebook = await diagnose({ more: 'shutdown_grase: 1s' });
    expect(notebook.findings).toMatchObject([
      {
        code: 'config_invalid',
        severity: 'error',
        line: 5,
        key: 'shutdown_grase',
        mend: expect.any(String) as string,
      },
    ]);
    expect(
      codes(await examine({ config: 'nowhere.yaml', envoy: [], offline: true, env: {}, now: Date.now })),
    ).toEqual(['config_invalid']);
  });

  const XFCC = `{ source: xfcc, xfcc: { from: [unauthenticated] }, trust_domains: { example.org: { bundle: ./bundle.pem } } }`;
  test.each<[Code, Sections, string]>([
    ['config_listen_open', { listen: '{ grpc: "0.0.0.0:9191", admin: "off" }' }, 'listen.grpc'],
    ['config_listen_open', { listen: '{ grpc: "[::]:9191", admin: "off" }' }, 'listen.grpc'],
    [
      'socket_exposed',
      { listen: '{ grpc: "unix:///run/c.sock", socket_mode: "0666", admin: "off" }' },
      'listen.socket_mode',
    ],
    [
      'config_federated_all',
      { identity: IDENTITY.replace('{ t', '{ workload_api: { socket: "unix:///a/b", federated: all }, t') },
      'identity.workload_api.federated',
    ],
    ['config_xfcc_unauthenticated', { identity: XFCC }, 'identity.xfcc.from'],
    ['config_stale_long', { identity: IDENTITY.replace('{ t', '{ max_stale: 30d, t') }, 'identity.max_stale'],
    [
      'config_stale_long',
      { identity: IDENTITY.replace('.pem', '.pem, max_stale: 8d') },
      'identity.trust_domains["example.org"].max_stale',
    ],
    [
      'config_stale_long',
      { token: issuer('jwks: ./jwks.json', ', jwks_max_stale: 2d') },
      'token.issuers[0].jwks_max_stale',
    ],
    ['config_token_off', { token: '{ mode: "off" }' }, 'token.mode'],
    [
      'config_clock_skew_wide',
      { token: issuer('jwks: ./jwks.json', ', clock_skew: 5m') },
      'token.issuers[0].clock_skew',
    ],
    [
      'config_lifetime_long',
      { token: issuer('jwks: ./jwks.json', ', max_lifetime: 30d') },
      'token.issuers[0].max_lifetime',
    ],
    ['config_log_off', { more: 'decision_log: { enabled: false }' }, 'decision_log.enabled'],
    ['config_log_bodies', { more: 'decision_log: { include_body: true }' }, 'decision_log.include_body'],
    [
      'config_bundle_unsigned',
      {
        policy:
          '{ services: { a: { url: "https://bundles.example.org" } }, bundles: { authz: { service: a } } }',
      },
      'policy.bundles.authz',
    ],
    ['policy_missing', { policy: '{ path: ./nowhere }' }, 'policy.path'],
  ])('%s', async (code, sections, key) => {
    const { findings } = await diagnose(sections);
    expect(findings).toMatchObject([
      { code, key, severity: CODES[code].severity, line: expect.any(Number) as number },
    ]);
  });

  test('secret_unreadable and secret_exposed: by the file, without reading it', async () => {
    await saved('s3cr3t-of-the-operator-and-nobody-else\n', 'secret');
    await chmod(join(folder, 'secret'), 0o644);
    const listen = (file: string) => `{ grpc: "127.0.0.1:0", admin: "off", admin_token_file: ./${file} }`;
    const exposed = await diagnose({ listen: listen('secret') });
    expect(exposed.findings).toMatchObject([{ code: 'secret_exposed', key: 'listen.admin_token_file' }]);
    expect(reportText(exposed) + reportJson(exposed)).not.toContain('s3cr3t');
    await chmod(join(folder, 'secret'), 0o600);
    expect(codes(await diagnose({ listen: listen('secret') }))).toEqual([]);
    expect(codes(await diagnose({ listen: listen('no-secret') }))).toEqual(['secret_unreadable']);
  });

  test('secret_unreadable of a server that tokens for upstreams come from', async () => {
    const more = `broker: { servers: { idp: { issuer: "https://idp.example.org", grant: client_credentials, audiences: ["https://billing.example.org"], client_id: me, client_authentication: { method: private_key_jwt, private_key: ./no-key } } } }`;
    const { findings } = await diagnose({ more });
    expect(findings).toMatchObject([
      { code: 'secret_unreadable', key: 'broker.servers.idp.client_authentication.private_key' },
    ]);
  });
});

describe('countersign doctor, of trust bundles', () => {
  test('bundle_unavailable: the file is not there, or is no bundle', async () => {
    const identity = (file: string) => `{ trust_domains: { example.org: { bundle: ./${file} } } }`;
    expect((await diagnose({ identity: identity('nowhere.pem') })).findings).toMatchObject([
      {
        ...{ code: 'bundle_unavailable', key: 'identity.trust_domains["example.org"]', line: 2 },
        wrong: expect.stringContaining('ENOENT') as string,
      },
    ]);
    await saved('', 'empty.pem');
    expect(codes(await diagnose({ identity: identity('empty.pem') }))).toEqual(['bundle_unavailable']);
  });

  test('bundle_empty: a SPIFFE bundle that has withdrawn its authorities', async () => {
    await saved('{"keys": []}', 'withdrawn.json');
    const identity = '{ trust_domains: { example.org: { bundle: ./withdrawn.json } } }';
    expect(codes(await diagnose({ identity }))).toEqual(['bundle_empty']);
  });

  test('bundle_expired, and bundle_authority_expired where another one is still good', async () => {
    const old = await TestCa.create(dates(-10 * DAY, -DAY));
    expect(codes(await diagnose({ identity: await bundleOf(old) }))).toEqual(['bundle_expired']);
    expect(codes(await diagnose({ identity: await bundleOf(old, ca) }))).toEqual([
      'bundle_authority_expired',
    ]);
  });

  test('bundle_authority_early and bundle_expires_soon', async () => {
    const early = await TestCa.create(dates(DAY, 90 * DAY));
    expect(codes(await diagnose({ identity: await bundleOf(ca, early) }))).toEqual([
      'bundle_authority_early',
    ]);
    const ending = await TestCa.create(dates(-20 * DAY, 3 * DAY));
    expect(codes(await diagnose({ identity: await bundleOf(ending) }))).toEqual(['bundle_expires_soon']);
  });

  test('bundle_other_domain: the authority names another trust domain', async () => {
    const other = await TestCa.create({
      ...dates(-HOUR, 90 * DAY),
      extensions: [
        extension(
          '2.5.29.17',
          false,
          encodeDer(0x30, encodeDer(0x86, Buffer.from('spiffe://other.example'))),
        ),
      ],
    });
    const { findings } = await diagnose({ identity: await bundleOf(other) });
    expect(findings).toMatchObject([
      { code: 'bundle_other_domain', wrong: expect.stringContaining('other.example') as string },
    ]);
  });

  test('bundle_no_jwt_keys: PEM has none', async () => {
    const identity =
      '{ source: jwt_svid, jwt_svid: { audiences: [a] }, trust_domains: { example.org: { bundle: ./bundle.pem } } }';
    expect(codes(await diagnose({ identity }))).toEqual(['bundle_no_jwt_keys']);
  });

  test('bundle_exposed: everybody may write it', async () => {
    const identity = await bundleOf(ca);
    await chmod(join(folder, `${number}.pem`), 0o666);
    expect(codes(await diagnose({ identity }))).toEqual(['bundle_exposed']);
  });

  test('bundle endpoints: who they are, that they answer, and whether an old copy can be told', async () => {
    const leaf = await ca.issueWithKey({
      ...dates(-HOUR, DAY),
      uris: ['spiffe://other.example/spire/server'],
    });
    const endpoint = await BundleEndpoint.start({ chainPem: leaf.pem, keyPem: leaf.keyPem });
    cleanup.push(() => endpoint.stop());
    const x5c = [ca.certificate.der.toString('base64')];
    const jwks = (more: object) => JSON.stringify({ keys: [{ kty: 'EC', use: 'x509-svid', x5c }], ...more });
    const identity = (id: string) =>
      `{ trust_domains: { other.example: { federation: { url: "${endpoint.url}", profile: https_spiffe, endpoint_spiffe_id: "${id}", bootstrap: ./bundle.pem } } } }`;
    const right = identity('spiffe://other.example/spire/server');
    endpoint.serve(jwks({ spiffe_sequence: 1 }));
    expect(codes(await diagnose({ identity: right }, { online: true }))).toEqual([]);
    endpoint.serve(jwks({}));
    expect(codes(await diagnose({ identity: right }, { online: true }))).toEqual(['bundle_sequence_missing']);
    const wrong = await diagnose({ identity: identity('spiffe://other.example/another') }, { online: true });
    expect(wrong.findings).toMatchObject([
      { code: 'bundle_unavailable', wrong: expect.stringContaining('another SPIFFE ID') as string },
    ]);
    expect(codes(await diagnose({ identity: identity('spiffe://other.example/another') }))).toEqual([]);
  });
});

describe('countersign doctor, of the Workload API', () => {
  const identity = (socket: string, ...domains: string[]) =>
    `{ workload_api: { socket: "unix://${socket}" }, trust_domains: { ${domains.map((name) => `${name}: { workload_api: true }`).join(', ')} } }`;

  async function agent(svid: { notBefore: number; notAfter: number }): Promise<FakeWorkloadApi> {
    const api = await FakeWorkloadApi.start();
    cleanup.push(() => api.stop());
    api.bundles({ 'spiffe://example.org': ca.certificate.der });
    api.say('FetchJWTBundles', { bundles: {} });
    const id = 'spiffe://example.org/countersign';
    const { der, keyPem } = await ca.issueWithKey({
      ...svid,
      uris: [id],
      extendedKeyUsage: Object.values(EKU),
    });
    const key = Buffer.from(keyPem.replace(/-----.*-----|\s/g, ''), 'base64');
    api.say('FetchX509SVID', { svids: [{ spiffeId: id, x509Svid: der, x509SvidKey: key, hint: '' }] });
    return api;
  }

  test('tells what the agent gives, and which trust domains it does not', async () => {
    const api = await agent(dates(-HOUR, HOUR));
    const notebook = await diagnose(
      { identity: identity(api.socketPath, 'example.org', 'partner.example') },
      { online: true },
    );
    expect(notebook.findings).toMatchObject([
      {
        ...{ code: 'bundle_unavailable', key: 'identity.trust_domains["partner.example"]' },
        wrong: 'the Workload API does not send it',
      },
    ]);
    expect(notebook.seen.join('\n')).toMatch(/SVID spiffe:\/\/example\.org\/countersign, 20/);
    expect(reportJson(notebook)).not.toMatch(/PRIVATE KEY/);
  });

  test('clock_skew and svid_expired, by the dates of the SVID', async () => {
    const early = await agent(dates(HOUR, 2 * HOUR));
    expect(
      codes(await diagnose({ identity: identity(early.socketPath, 'example.org') }, { online: true })),
    ).toEqual(['clock_skew']);
    const late = await agent(dates(-2 * HOUR, -HOUR));
    expect(
      codes(await diagnose({ identity: identity(late.socketPath, 'example.org') }, { online: true })),
    ).toEqual(['svid_expired']);
  });

  test('workload_api_no_svid: bundles alone', async () => {
    const api = await agent(dates(-HOUR, HOUR));
    api.say('FetchX509SVID', status.PERMISSION_DENIED);
    expect(
      codes(await diagnose({ identity: identity(api.socketPath, 'example.org') }, { online: true })),
    ).toEqual(['workload_api_no_svid']);
  });

  test('listen_svid_missing: what the server is to show to Envoys', async () => {
    const api = await agent(dates(-HOUR, HOUR));
    const listen = (more: string) =>
      `{ grpc: "127.0.0.1:0", admin: "off", tls: { workload_api: true, clients: ["spiffe://example.org/**"]${more} } }`;
    const identified = identity(api.socketPath, 'example.org');
    const right = await diagnose({ identity: identified, listen: listen('') }, { online: true });
    expect(codes(right)).toEqual([]);
    const other = listen(', spiffe_id: "spiffe://example.org/other"');
    expect(
      (await diagnose({ identity: identified, listen: other }, { online: true })).findings,
    ).toMatchObject([{ code: 'listen_svid_missing', key: 'listen.tls.spiffe_id' }]);
    api.say('FetchX509SVID', status.PERMISSION_DENIED);
    expect(codes(await diagnose({ identity: identified, listen: listen('') }, { online: true }))).toEqual([
      'listen_svid_missing',
    ]);
  });

  test('workload_api_unreachable: no agent, and no socket named', async () => {
    const nowhere = await diagnose({ identity: identity('/nowhere.sock', 'example.org') }, { online: true });
    expect(codes(nowhere)).toEqual(['bundle_unavailable', 'workload_api_unreachable']);
    const unnamed = await diagnose(
      { identity: '{ trust_domains: { a.example: { workload_api: true } } }' },
      { online: true },
    );
    expect(codes(unnamed)).toEqual(['workload_api_unreachable']);
  });
});

describe('countersign doctor, of issuers and services', () => {
  test('issuer_keys_unavailable: no file, nobody there, another issuer in the metadata', async () => {
    expect(codes(await diagnose({ token: issuer('jwks: ./nowhere.json') }))).toEqual([
      'issuer_keys_unavailable',
    ]);
    const gone = issuer(`jwks: "http://127.0.0.1:${closed}/keys"`);
    expect((await diagnose({ token: gone }, { online: true })).findings).toMatchObject([
      {
        code: 'issuer_keys_unavailable',
        endpoint: 'https://idp.example.org',
        wrong: expect.stringContaining('ECONNREFUSED') as string,
      },
    ]);
    expect(codes(await diagnose({ token: gone }))).toEqual([]); // --offline
    const url = await http({ '/.well-known/openid-configuration': '{"issuer": "https://other.example"}' });
    const discovered = `{ issuers: [{ issuer: "${url}", audiences: [orders], jwks: discovery }] }`;
    expect((await diagnose({ token: discovered }, { online: true })).findings).toMatchObject([
      { code: 'issuer_keys_unavailable', wrong: 'the metadata is of another issuer' },
    ]);
  });

  test('issuer_keys_unusable: keys for other algorithms', async () => {
    await saved(await keySet('EdDSA'), 'eddsa.json');
    expect(codes(await diagnose({ token: issuer('jwks: ./eddsa.json') }))).toEqual(['issuer_keys_unusable']);
    expect(codes(await diagnose({ token: issuer('jwks: ./eddsa.json', ', algorithms: [EdDSA]') }))).toEqual(
      [],
    );
  });

  test('clock_skew: by the Date of the answer, with the leeway that the issuer has', async () => {
    const keys = await keySet('ES256');
    const ahead = await http({ '/keys': keys }, new Date(Date.now() + 40_000).toUTCString());
    const { findings } = await diagnose({ token: issuer(`jwks: "${ahead}/keys"`) }, { online: true });
    expect(findings).toMatchObject([
      { code: 'clock_skew', wrong: expect.stringMatching(/(3[89]|4[01]) s ahead of/) as string },
    ]);
    const lenient = issuer(`jwks: "${ahead}/keys"`, ', clock_skew: 1m');
    expect(codes(await diagnose({ token: lenient }, { online: true }))).toEqual([]);
    const behind = await http({ '/keys': keys }, new Date(Date.now() - 40_000).toUTCString());
    expect(
      (await diagnose({ token: issuer(`jwks: "${behind}/keys"`) }, { online: true })).findings,
    ).toMatchObject([{ code: 'clock_skew', wrong: expect.stringContaining('behind') as string }]);
  });

  test('issuer_introspection_unreachable, and nothing is sent that is secret', async () => {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(`${request.method} ${JSON.stringify(request.headers)}`);
      response.writeHead(405).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanup.push(() => end(server));
    const at = (port: number) =>
      issuer(
        'jwks: ./jwks.json',
        `, introspection: { endpoint: "http://127.0.0.1:${port}/introspect", client_id: me, client_authentication: { secret: hush-hush } }`,
      );
    const port = (server.address() as AddressInfo).port;
    expect(codes(await diagnose({ token: at(port) }, { online: true }))).toEqual([]);
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatch(/^GET /);
    expect(asked[0]).not.toMatch(/hush|authorization/i);
    const gone = await diagnose({ token: at(closed) }, { online: true });
    expect(codes(gone)).toEqual(['issuer_introspection_unreachable']);
    expect(reportJson(gone)).not.toContain('hush');
  });

  test('policy_service_unreachable', async () => {
    const policy = (url: string) =>
      `{ services: { a: { url: "${url}" } }, keys: { k: { algorithm: ES256, key: ./k.pem } }, bundles: { authz: { service: a, signing: {} } } }`;
    expect(codes(await diagnose({ policy: policy(await http({})) }, { online: true }))).toEqual([]);
    expect(codes(await diagnose({ policy: policy(`http://127.0.0.1:${closed}`) }, { online: true }))).toEqual(
      ['policy_service_unreachable'],
    );
  });
});

describe('countersign doctor, of the socket', () => {
  const socketAt = (name: string) => join(folder, name);
  const listening = (address: string) => `{ grpc: "${address}", admin: "off" }`;
  const asked = async (address: string) =>
    codes(await diagnose({ listen: listening(address) }, { online: true }));

  /** Something that speaks gRPC, and says what the test wants. */
  async function grpc(address: string, health: number | undefined, answer: object): Promise<GrpcServer> {
    const server = new GrpcServer();
    server.addService(authorizationService, {
      Check: (_: unknown, callback: (error: null, answer: object) => void) => callback(null, answer),
    } as never);
    if (health !== undefined) {
      const plain = (bytes: Buffer) => bytes;
      const shape = {
        requestSerialize: plain,
        requestDeserialize: plain,
        responseSerialize: plain,
        responseDeserialize: plain,
      };
      server.addService(
        {
          Check: {
            path: '/grpc.health.v1.Health/Check',
            requestStream: false,
            responseStream: false,
            ...shape,
          },
        } as never,
        {
          Check: (_: unknown, callback: (error: null, answer: Buffer) => void) =>
            callback(null, Buffer.from([8, health])),
        } as never,
      );
    }
    await new Promise<void>((resolve, reject) =>
      server.bindAsync(address, ServerCredentials.createInsecure(), (error) =>
        error ? reject(error) : resolve(),
      ),
    );
    cleanup.push(() => server.forceShutdown());
    return server;
  }

  test('socket_not_listening: nobody there, a socket that was left behind, a file', async () => {
    expect(await asked(`127.0.0.1:${closed}`)).toEqual(['socket_not_listening']);
    expect(await asked(`unix://${socketAt('none.sock')}`)).toEqual(['socket_not_listening']);
    await saved('', 'file.sock');
    expect(await asked(`unix://${socketAt('file.sock')}`)).toEqual(['socket_not_listening']);
  });

  test('socket_not_listening: something that speaks no gRPC', async () => {
    const server = createNetServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanup.push(() => server.close());
    expect(await asked(`127.0.0.1:${(server.address() as AddressInfo).port}`)).toEqual([
      'socket_not_listening',
    ]);
  }, 20_000);

  test('behind listen.tls: that somebody listens, and no more', async () => {
    const server = createNetServer(() => {});
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanup.push(() => server.close());
    await saved(ca.certificate.pem, 'svid.key');
    await chmod(join(folder, 'svid.key'), 0o600);
    const listen = (port: number) =>
      `{ grpc: "127.0.0.1:${port}", admin: "off", tls: { certificate: ./bundle.pem, private_key: ./svid.key, clients: ["spiffe://example.org/**"] } }`;
    const { port } = server.address() as AddressInfo;
    expect(codes(await diagnose({ listen: listen(port) }, { online: true }))).toEqual([]);
    expect(codes(await diagnose({ listen: listen(closed) }, { online: true }))).toEqual([
      'socket_not_listening',
    ]);
  });

  test('socket_exposed: who may connect, and who may put another one there', async () => {
    await grpc(`unix:${socketAt('open.sock')}`, 1, { status: { code: 7 } });
    await chmod(socketAt('open.sock'), 0o666);
    expect(await asked(`unix://${socketAt('open.sock')}`)).toEqual(['socket_exposed']);
    await chmod(socketAt('open.sock'), 0o660);
    expect(await asked(`unix://${socketAt('open.sock')}`)).toEqual([]);
    await chmod(folder, 0o777);
    expect(await asked(`unix://${socketAt('open.sock')}`)).toEqual(['socket_exposed']);
    await chmod(folder, 0o700);
  });

  test('socket_not_serving', async () => {
    await grpc(`unix:${socketAt('draining.sock')}`, 2, { status: { code: 7 } });
    await chmod(socketAt('draining.sock'), 0o660);
    expect(await asked(`unix://${socketAt('draining.sock')}`)).toEqual(['socket_not_serving']);
  });

  test('socket_not_countersign: what allows nobody, says nothing, or is something else', async () => {
    for (const [name, health, answer] of [
      ['allows', 1, { status: { code: 0 } }],
      ['empty', 1, {}],
      ['other', undefined, {}],
    ] as const) {
      await grpc(`unix:${socketAt(`${name}.sock`)}`, health, answer);
      await chmod(socketAt(`${name}.sock`), 0o660);
      expect(await asked(`unix://${socketAt(`${name}.sock`)}`)).toEqual(['socket_not_countersign']);
    }
  });

  (IS_ROOT ? test.skip : test)(
    'socket_forbidden: the rights of this user do not reach it (root has all of them)',
    async () => {
      await grpc(`unix:${socketAt('shut.sock')}`, 1, { status: { code: 7 } });
      await chmod(socketAt('shut.sock'), 0o000);
      expect(await asked(`unix://${socketAt('shut.sock')}`)).toEqual(['socket_forbidden']);
    },
  );

  test('engine_check_failing: what the server itself says of it', async () => {
    await grpc(`unix:${socketAt('engine.sock')}`, 1, { status: { code: 7 } });
    await chmod(socketAt('engine.sock'), 0o660);
    const admin = await http({
      '/readyz': JSON.stringify({
        ready: true,
        checks: { 'keys of a': { ok: false, detail: 'a answered 500' }, b: { ok: true } },
      }),
    });
    const listen = `{ grpc: "unix://${socketAt('engine.sock')}", admin: "${admin.slice('http://'.length)}" }`;
    expect((await diagnose({ listen }, { online: true })).findings).toMatchObject([
      { code: 'engine_check_failing', wrong: 'the server says that keys of a is not well: a answered 500' },
    ]);
  });
});
