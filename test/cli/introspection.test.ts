import { jest } from '@jest/globals';
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { status } from '@grpc/grpc-js';
import { exportJWK } from 'jose';
import { startAskedServers } from '../../src/cli/engine/asked-servers.js';
import { startTokens } from '../../src/cli/engine/tokens.js';
import { createAgent } from '../../src/cli/engine/workload-api.js';
import { parseConfig } from '../../src/config/load.js';
import { ConfigError } from '../../src/config/problem.js';
import { mintTrustDomain } from '../../src/demo/trust-domain.js';
import { localHub } from '../../src/feed/feed.js';
import { createLog } from '../../src/telemetry/log.js';
import type { TokenRequest } from '../../src/token/types.js';
import { comeTrue } from '../support/come-true.js';
import { FakeWorkloadApi } from '../support/fake-workload-api.js';
import { JwtKey } from '../support/jwt-authority.js';

// The package says at length that what it runs on here is not for production.
const notices = [
  jest.spyOn(console, 'info').mockImplementation(() => {}),
  jest.spyOn(console, 'warn').mockImplementation(() => {}),
];
// Under Jest it makes objects of another realm, which the package does not take for plain ones.
notices.push(
  jest
    .spyOn(globalThis, 'structuredClone')
    .mockImplementation((value) => JSON.parse(JSON.stringify(value))) as never,
);
const { default: Provider } = await import('oidc-provider');

const ORDERS = 'https://orders.example.org';
const folder = await mkdtemp(join(tmpdir(), 'countersign-introspection-'));
const domain = await mintTrustDomain('example.org');
const own = await domain.issueSvid('/countersign');
const host = await domain.issueSvid('/idp', { dns: ['localhost'] });
const rotated = await domain.issueSvid('/countersign');
const svidKey = await JwtKey.create('ES256', 'svids');
const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

const write = async (name: string, text: string) => {
  await writeFile(join(folder, name), text);
  return join(folder, name);
};
await write('svid.pem', own.chainPem ?? own.certPem);
await write('svid.key', own.keyPem);
await write('roots.pem', domain.bundlePem);
await write('client.key', String(privateKey.export({ type: 'pkcs8', format: 'pem' })));
await write('secret', 's3cret+/=%\n');

/** The server that others wrote: in the clear on loopback, or with TLS that asks for a client certificate. */
async function start(tls: boolean) {
  let handle: RequestListener = (_, response) => response.writeHead(503).end();
  const listener: RequestListener = (request, response) => handle(request, response);
  const requests: string[] = [];
  const server: Server = tls
    ? createHttpsServer(
        {
          cert: host.chainPem ?? host.certPem,
          key: host.keyPem,
          ca: domain.bundlePem,
          requestCert: true,
          rejectUnauthorized: false,
        },
        listener,
      )
    : createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  const issuer = `http${tls ? 's' : ''}://localhost:${(server.address() as AddressInfo).port}`;
  const callback = new Provider(issuer, await configuration()).callback();
  handle = (request, response) => {
    requests.push(`${request.method} ${request.url}`);
    callback(request, response);
  };
  return { server, issuer, requests };
}

async function configuration(): Promise<object> {
  const client = (id: string, method: string, more: object = {}) => ({
    client_id: id,
    token_endpoint_auth_method: method,
    grant_types: [],
    redirect_uris: [],
    response_types: [],
    ...more,
  });
  const secret = { client_secret: 's3cret+/=%' };
  return {
    clients: [
      client('frontend', 'none', {
        grant_types: ['client_credentials'],
        client_secret: 'secret',
        token_endpoint_auth_method: 'client_secret_post',
      }),
      client('basic', 'client_secret_basic', secret),
      client('post', 'client_secret_post', secret),
      client('jwt', 'private_key_jwt', { jwks: { keys: [{ ...(await exportJWK(publicKey)), kid: 'k1' }] } }),
      client('tls', 'tls_client_auth', { tls_client_auth_san_uri: own.spiffeId }),
      client(own.spiffeId, 'private_key_jwt', {
        jwks: { keys: [svidKey.entry('sig')] },
        token_endpoint_auth_signing_alg: 'ES256',
      }),
    ],
    scopes: ['read', 'write'],
    clientAuthMethods: [
      'none',
      'client_secret_basic',
      'client_secret_post',
      'private_key_jwt',
      'tls_client_auth',
    ],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      revocation: { enabled: true, allowedPolicy: () => true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_: unknown, resource: string) => ({
          scope: 'read write',
          audience: resource,
          accessTokenFormat: 'opaque',
          accessTokenTTL: 300,
        }),
      },
      mTLS: {
        enabled: true,
        tlsClientAuth: true,
        getCertificate: (context: { socket: TLSSocket }) => {
          const { raw } = context.socket.getPeerCertificate();
          return raw && new X509Certificate(raw);
        },
        certificateAuthorized: (context: { socket: TLSSocket }) => context.socket.authorized,
        certificateSubjectMatches: (context: { socket: TLSSocket }, property: string, expected: string) =>
          property === 'tls_client_auth_san_uri' &&
          context.socket.getPeerCertificate().subjectaltname === `URI:${expected}`,
      },
    },
  };
}

const plain = await start(false);
const secure = await start(true);
const stops: (() => void | Promise<void>)[] = [];
afterAll(async () => {
  for (const stop of stops) await stop();
  for (const { server } of [plain, secure]) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  await rm(folder, { recursive: true });
  for (const notice of notices) notice.mockRestore();
});

async function send(path: string, form: Record<string, string>): Promise<Record<string, unknown>> {
  const credentials = { client_id: 'frontend', client_secret: 'secret' };
  const answer = await fetch(`${plain.issuer}${path}`, {
    method: 'POST',
    body: new URLSearchParams({ ...credentials, ...form }),
  });
  const text = await answer.text();
  return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
}

async function grant(resource?: string): Promise<string> {
  const answer = await send('/token', {
    grant_type: 'client_credentials',
    scope: 'read write',
    ...(resource !== undefined && { resource }),
  });
  if (typeof answer.access_token !== 'string') throw new Error(JSON.stringify(answer));
  return answer.access_token;
}

/** The stage as the server wires it, from a configuration file's text. */
function verifierOf(introspection: string, issuer = plain.issuer, agent?: FakeWorkloadApi) {
  const text = `
identity:
  trust_domains: { example.org: { bundle: roots.pem } }
  ${agent ? `workload_api: { socket: "unix://${agent.socketPath}" }` : ''}
policy: { path: . }
token:
  issuers:
    - issuer: ${issuer}
      audiences: [${ORDERS}]
      introspection: ${introspection}
`;
  const config = parseConfig(text, { file: join(folder, 'countersign.yaml'), env: { SECRET: 's3cret+/=%' } });
  if (config instanceof ConfigError) throw config;
  const now = () => Date.now();
  const part = { hub: localHub, log: createLog('fatal'), now };
  const svids = agent && createAgent(config.identity, false, part);
  const replay = { claim: () => 'unavailable' as const };
  const tokens = startTokens(
    config,
    { ...part, replay, servers: startAskedServers() },
    svids && { own: svids },
  );
  stops.push(() => tokens.stop());
  if (svids) stops.push(() => svids.close());
  return (token: string, request: Partial<TokenRequest> = {}) =>
    tokens.verifier.verify({ authorization: [`Bearer ${token}`], now: now(), ...request });
}

const BASIC = 'client_id: basic, client_authentication: { secret: "${SECRET}" }';

describe('a real authorization server is asked about an opaque token', () => {
  test.each([
    ['client_secret_basic, out of the environment', `{ ${BASIC} }`],
    [
      'client_secret_basic, out of a file',
      '{ client_id: basic, client_authentication: { secret_file: secret } }',
    ],
    [
      'client_secret_post',
      '{ client_id: post, client_authentication: { method: client_secret_post, secret_file: secret } }',
    ],
    [
      'private_key_jwt',
      '{ client_id: jwt, client_authentication: { method: private_key_jwt, private_key: client.key, key_id: k1 } }',
    ],
  ])('with %s', async (_, introspection) => {
    const verify = verifierOf(introspection);
    const token = await grant(ORDERS);
    const verified = await verify(token);
    expect(verified).toMatchObject({
      issuer: plain.issuer,
      subject: 'frontend',
      clientId: 'frontend',
      audience: [ORDERS],
      scopes: ['read', 'write'],
      binding: 'none',
    });
    expect(verify(token)).toBe(verified);
  });

  test('with its X.509-SVID, which may rotate', async () => {
    const verify = verifierOf(
      `{ endpoint: "${secure.issuer}/token/introspection", ca: roots.pem, client_id: tls, cache: 0s, client_authentication: { method: tls_client_auth, certificate: svid.pem, private_key: svid.key } }`,
      secure.issuer,
    );
    // This server knows none of the other one's tokens; that it says so shows that it knew who asked.
    expect(await verify('opaque')).toMatchObject({ code: 'token_inactive' });
    await write('svid.pem', rotated.chainPem ?? rotated.certPem);
    await write('svid.key', rotated.keyPem);
    expect(await verify('opaque-2')).toMatchObject({ code: 'token_inactive' });
    await write('svid.pem', host.chainPem ?? host.certPem);
    await write('svid.key', host.keyPem);
    expect(await verify('opaque-3')).toMatchObject({ code: 'token_introspection_unavailable' });
  });

  test('with its X.509-SVID out of the Workload API, as it rotates, and not without one', async () => {
    const agent = await FakeWorkloadApi.start();
    stops.push(() => agent.stop());
    const shown = (svid: typeof own) => ({
      svids: [
        {
          spiffeId: svid.spiffeId,
          x509Svid: new X509Certificate(svid.certPem).raw,
          x509SvidKey: createPrivateKey(svid.keyPem).export({ format: 'der', type: 'pkcs8' }),
        },
      ],
    });
    agent.say('FetchX509SVID', status.PERMISSION_DENIED);
    const verify = verifierOf(
      `{ endpoint: "${secure.issuer}/token/introspection", ca: roots.pem, client_id: tls, cache: 0s, client_authentication: { method: tls_client_auth, workload_api: true } }`,
      secure.issuer,
      agent,
    );
    expect(await verify('opaque-a')).toMatchObject({
      code: 'token_introspection_unavailable',
      detail: expect.stringContaining('there is no X.509-SVID: FetchX509SVID: PERMISSION_DENIED'),
    });
    const becomes = (code: string) => {
      let n = 0;
      return comeTrue(async () => expect(await verify(`opaque-${code}-${n++}`)).toMatchObject({ code }));
    };
    for (const svid of [own, rotated]) {
      agent.say('FetchX509SVID', shown(svid));
      await becomes('token_inactive');
    }
    agent.say('FetchX509SVID', shown(host));
    await becomes('token_introspection_unavailable');
  }, 20_000);

  test('with its JWT-SVID out of the Workload API', async () => {
    const agent = await FakeWorkloadApi.start();
    stops.push(() => agent.stop());
    agent.jwtSvid = async (audience) => ({
      spiffeId: own.spiffeId,
      // Members that SPIFFE asks for, and those that this server does besides.
      svid: await svidKey.sign({
        sub: own.spiffeId,
        aud: [audience],
        exp: Math.floor(Date.now() / 1000) + 300,
        iss: own.spiffeId,
        jti: 'once',
      }),
    });
    const client = `client_id: "${own.spiffeId}", client_authentication: { method: spiffe_jwt, workload_api: true`;
    const token = await grant(ORDERS);
    expect(
      await verifierOf(`{ ${client}, assertion_type: jwt-bearer } }`, plain.issuer, agent)(token),
    ).toMatchObject({ subject: 'frontend', audience: [ORDERS] });
    expect(agent.askedJwtSvids).toEqual([plain.issuer]);
    // It does not know that type, and never sees who asks.
    expect(await verifierOf(`{ ${client} } }`, plain.issuer, agent)(token)).toMatchObject({
      code: 'token_introspection_unavailable',
      detail: expect.stringMatching(/answered 40[01]/),
    });
    expect(
      await verifierOf(
        `{ ${client}, assertion_type: jwt-bearer, audience: elsewhere } }`,
        plain.issuer,
        agent,
      )(token),
    ).toMatchObject({ code: 'token_introspection_unavailable' });
    expect(agent.askedJwtSvids.at(-1)).toBe('elsewhere');
  });

  test('and not at all where its certificate is not of the roots that are named', async () => {
    const verify = verifierOf(
      `{ endpoint: "${secure.issuer}/token/introspection", ${BASIC} }`,
      secure.issuer,
    );
    expect(await verify('opaque')).toMatchObject({
      code: 'token_introspection_unavailable',
      detail: expect.not.stringContaining('s3cret'),
    });
  });

  test('and a wrong secret lets nobody in, and is told to nobody', async () => {
    const verify = verifierOf('{ client_id: basic, client_authentication: { secret: wr0ng } }');
    const refusal = await verify(await grant(ORDERS));
    expect(refusal).toMatchObject({
      code: 'token_introspection_unavailable',
      detail: expect.stringContaining('answered 401'),
    });
    expect(JSON.stringify(refusal)).not.toContain('wr0ng');
  });

  test('and one for another audience, or for none in particular, is refused', async () => {
    const verify = verifierOf(`{ ${BASIC} }`);
    expect(await verify(await grant('https://billing.example.org'))).toMatchObject({
      code: 'token_audience_mismatch',
    });
    const forNobody = await grant();
    expect(await verify(forNobody)).toMatchObject({ code: 'token_claims_invalid', detail: 'aud is missing' });
    const lenient = verifierOf(`{ ${BASIC}, assume_audience: "${ORDERS}" }`);
    expect(await lenient(forNobody)).toMatchObject({ audience: [ORDERS] });
  });

  test('and one that it never issued, or took back, is refused', async () => {
    const verify = verifierOf(`{ ${BASIC}, cache: 0s }`);
    const token = await grant(ORDERS);
    expect(await verify(token)).toMatchObject({ subject: 'frontend' });
    await send('/token/revocation', { token });
    expect(await verify(token)).toMatchObject({ code: 'token_inactive' });
    expect(await verify('never-issued')).toMatchObject({ code: 'token_inactive' });
  });

  test('once for a hundred requests at the same time', async () => {
    const verify = verifierOf(`{ ${BASIC} }`);
    const token = await grant(ORDERS);
    const before = plain.requests.length;
    await Promise.all(Array.from({ length: 100 }, () => verify(token)));
    await verify(token);
    expect(plain.requests.slice(before).filter((line) => line.startsWith('POST'))).toEqual([
      'POST /token/introspection',
    ]);
  });
});
