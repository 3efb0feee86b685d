import { jest } from '@jest/globals';
import { generateKeyPairSync } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeJwt } from 'jose';
import type { Envoy } from '../../src/demo/envoy.js';
import type { Svid } from '../../src/demo/trust-domain.js';
import { FakeWorkloadApi } from '../support/fake-workload-api.js';
import { JwtKey } from '../support/jwt-authority.js';
import { describeEnvoy } from '../support/real-envoy.js';
import type { AuthorizationServer } from './authorization-server.js';
import { http1 } from './client.js';
import { publicJwk } from './custom-grants.js';
import type { EngineProcess } from './engine.js';
import { eventually } from './eventually.js';
import { type Mesh, startMesh } from './mesh.js';

// The package says at length that what it runs on here is not for production, and takes no objects of another realm,
// such as Jest makes, for plain ones.
const notices = [
  jest.spyOn(console, 'info').mockImplementation(() => {}),
  jest.spyOn(console, 'warn').mockImplementation(() => {}),
  jest.spyOn(globalThis, 'structuredClone').mockImplementation((value) => JSON.parse(JSON.stringify(value))),
];
const { startAuthorizationServer } = await import('./authorization-server.js');

const ORDERS = 'https://orders.example.org';
const BILLING = 'https://billing-api.example.org';
const OWN_ID = 'spiffe://example.org/countersign';

// /exchange/…, /machine/… and /svid/… name the server; what comes after it is what the policy wants.
const POLICY = `package mesh.authz
parts := split(trim_prefix(input.request.path, "/"), "/")
decision := {"allowed": true, "upstream_token": {"from": parts[0], "audience": "${BILLING}", "scopes": parts[1]}}
`;

describeEnvoy('a broker of tokens behind a real Envoy, 1 worker', () => brokers(1));
describeEnvoy('a broker of tokens behind a real Envoy, 2 workers', () => brokers(2));

function brokers(workers: number): void {
  let mesh: Mesh;
  let envoy: Envoy;
  let engine: EngineProcess;
  let authority: AuthorizationServer;
  let agent: FakeWorkloadApi;

  beforeAll(async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const pem = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
    const svids = await JwtKey.create('ES256', 'svids');
    authority = await startAuthorizationServer({ broker: await publicJwk(pem), svids: svids.entry('sig') });
    agent = await FakeWorkloadApi.start();
    let minted = 0;
    agent.jwtSvid = async (audience) => ({
      spiffeId: OWN_ID,
      // iss and jti are what this server asks for besides what a JWT-SVID has.
      svid: await svids.sign({
        sub: OWN_ID,
        aud: [audience],
        exp: Math.floor(Date.now() / 1000) + 300,
        iss: OWN_ID,
        jti: String(++minted),
      }),
    });
    mesh = await startMesh();
    await writeFile(join(mesh.folder, 'broker.key'), pem);
    const server = {
      issuer: authority.issuer,
      grant: 'token_exchange',
      audiences: [BILLING],
      scopes: ['billing:read', 'billing:write'],
      client_id: 'broker',
      client_authentication: { method: 'private_key_jwt', private_key: './broker.key' },
    };
    const servers = {
      exchange: server,
      machine: { ...server, grant: 'client_credentials' },
      svid: { ...server, grant: 'jwt_bearer' },
      elsewhere: { ...server, header: 'x-billing-token' },
    };
    engine = await mesh.engine({
      policy: POLICY,
      identity: `  workload_api: { socket: "unix://${agent.socketPath}" }`,
      issuer: `    - { issuer: "${authority.issuer}", audiences: ["${ORDERS}"], jwks: discovery, algorithms: [ES256] }`,
      more: `workers: ${workers}\nbroker: ${JSON.stringify({ servers })}\n`,
    });
    envoy = await mesh.envoy(engine.grpc);
  }, 120_000);
  afterAll(async () => {
    await mesh?.close();
    await agent?.stop();
    await authority?.close();
  });

  async function callersToken(): Promise<string> {
    const form = { grant_type: 'client_credentials', scope: 'orders:read', resource: ORDERS };
    const { access_token: token, ...rest } = await authority.send('/token', 'plain', form);
    if (typeof token !== 'string') throw new Error(JSON.stringify(rest));
    return token;
  }

  async function ask(
    path: string,
    token: string,
    more: Record<string, string> = {},
    workload: Svid = mesh.frontend,
  ) {
    const answer = await http1({
      ...mesh.as(workload, envoy),
      path,
      headers: { authorization: `Bearer ${token}`, ...more },
    });
    const seen =
      answer.status === 200 ? (JSON.parse(answer.body) as { headers: Record<string, string> }) : undefined;
    return { status: answer.status, headers: seen?.headers ?? {} };
  }

  const bearer = ({ headers }: { headers: Record<string, string> }) =>
    headers.authorization?.replace(/^Bearer /, '') ?? '';
  /** By what was asked last: the log may be some milliseconds behind. */
  async function logged(): Promise<Record<string, unknown>> {
    await new Promise((resolve) => setTimeout(resolve, 300));
    return engine.decisions().at(-1) ?? {};
  }

  test("the caller's token is exchanged for a narrower one, which is all that the upstream gets", async () => {
    const token = await callersToken();
    const first = await ask('/exchange/billing:read', token);
    expect(first.status).toBe(200);
    expect(decodeJwt(bearer(first))).toMatchObject({
      iss: authority.issuer,
      aud: BILLING,
      scope: 'billing:read',
      client_id: 'broker',
    });
    expect(JSON.stringify(first.headers)).not.toContain(token);
    expect(bearer(await ask('/exchange/billing:read', token))).toBe(bearer(first));
    expect(await logged()).toMatchObject({
      upstream_token: { from: 'exchange', audience: BILLING, obtained: 'cache' },
    });
    const others = await ask('/exchange/billing:read', token, {}, mesh.reporting);
    expect(others.status).toBe(200);
    expect(bearer(others)).not.toBe(bearer(first));
    const text = JSON.stringify(engine.decisions()) + engine.log();
    expect(text).not.toContain(bearer(first));
    expect(text).not.toContain(token);
  });

  test('whichever worker is asked, its server is asked once', async () => {
    const token = await callersToken();
    const all = await Promise.all(Array.from({ length: 30 }, () => ask('/exchange/billing:read', token)));
    expect(new Set(all.map(({ status }) => status))).toEqual(new Set([200]));
    expect(new Set(all.map(bearer)).size).toBe(1);
  });

  test('credentials of the broker, and the JWT-SVID of this server, do where there is nothing to exchange', async () => {
    const token = await callersToken();
    const machine = await ask('/machine/billing:read', token);
    expect(decodeJwt(bearer(machine))).toMatchObject({
      aud: BILLING,
      client_id: 'broker',
      scope: 'billing:read',
    });
    const svid = await ask('/svid/billing:read', token);
    expect(decodeJwt(bearer(svid))).toMatchObject({ aud: BILLING, sub: OWN_ID });
    expect(agent.askedJwtSvids).toEqual([authority.issuer]);
  });

  test("it may go into another header, where the client's own never arrives", async () => {
    const token = await callersToken();
    const { headers } = await ask('/elsewhere/billing:read', token, { 'x-billing-token': 'forged' });
    expect(headers.authorization).toBe(`Bearer ${token}`);
    expect(decodeJwt(headers['x-billing-token']!.replace('Bearer ', ''))).toMatchObject({ aud: BILLING });
  });

  test('what the server refuses, or the configuration, is denied, and the log says why', async () => {
    const token = await callersToken();
    expect((await ask('/exchange/billing:write', token)).status).toBe(403);
    expect(await logged()).toMatchObject({
      reason: 'upstream_token_refused',
      detail: expect.stringMatching(/^exchange: .* answered 400 \(invalid_scope\)$/),
    });
    expect((await ask('/exchange/admin', token)).status).toBe(403);
    expect(await logged()).toMatchObject({ reason: 'upstream_token_not_allowed' });
    expect((await ask('/nobody/billing:read', token)).status).toBe(403);
    expect(await logged()).toMatchObject({ reason: 'upstream_token_not_allowed' });
  });

  test('with the server gone, what is at hand serves, and nothing else is let through', async () => {
    const token = await callersToken();
    const other = await callersToken();
    expect((await ask('/exchange/billing:read', token)).status).toBe(200);
    await authority.close();
    // One of two workers may not have asked yet, and asks the process that has.
    for (let n = 0; n < 4; n++) expect((await ask('/exchange/billing:read', token)).status).toBe(200);
    expect((await ask('/exchange/billing:read', other)).status).toBe(503);
    expect(await logged()).toMatchObject({
      reason: 'upstream_token_unavailable',
      detail: expect.stringContaining('ECONNREFUSED'),
    });
    const metrics = await (await fetch(`http://${engine.admin}/metrics`)).text();
    expect(metrics).toMatch(/countersign_upstream_tokens_total\{[^}]*server="exchange"[^}]*\} [1-9]/);
    expect(metrics).toContain('countersign_server_failing{asked_for="tokens",server="exchange"} 1\n');
    const told =
      /"what":"tokens of exchange","error":"[^"]*ECONNREFUSED[^"]*","msg":"no answer; what needs one is denied"/;
    await eventually(() => (told.test(engine.log()) ? true : undefined));
  }, 20_000);
}

afterAll(() => {
  for (const notice of notices) notice.mockRestore();
});
