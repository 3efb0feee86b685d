import { createHash, X509Certificate } from 'node:crypto';
import { askEnvoy } from '../../src/demo/ask-envoy.js';
import { demoCases, type Cast } from '../../src/demo/cases.js';
import type { Envoy } from '../../src/demo/envoy.js';
import { mintTrustDomain, type Svid, type TrustDomain } from '../../src/demo/trust-domain.js';
import { describeEnvoy } from '../support/real-envoy.js';
import { http1, http2, tcp } from './client.js';
import { eventually } from './eventually.js';
import type { EngineProcess } from './engine.js';
import { type Echo, type Mesh, startMesh } from './mesh.js';

const PROTOCOLS = [
  ['HTTP/1.1', http1],
  ['HTTP/2', http2],
] as const;

describeEnvoy('through a real Envoy', () => {
  let mesh: Mesh;
  let engine: EngineProcess;
  let envoy: Envoy;
  let foreign: TrustDomain;
  let foreigner: Svid;
  let token: string;

  beforeAll(async () => {
    mesh = await startMesh();
    foreign = await mintTrustDomain('rogue.example');
    foreigner = await foreign.issueSvid('/ns/shop/sa/frontend');
    engine = await mesh.engine();
    envoy = await mesh.envoy(
      engine.grpc,
      {
        routes: [
          { prefix: '/open', extensions: { 'countersign.token': 'off' } },
          { prefix: '/payments', extensions: { 'countersign.audience': 'payments' } },
          { prefix: '/typo', extensions: { 'countersign.tokn': 'off' } },
        ],
      },
      foreign.bundlePem,
    );
    token = await mesh.issuer.mint({ scope: 'orders:read', cnf: { 'x5t#S256': thumbprint(mesh.frontend) } });
  }, 120_000);
  afterAll(() => mesh?.close());

  const as = (workload: Svid, extra: object = {}) => ({
    ...mesh.as(workload, envoy),
    path: '/orders/7',
    headers: { authorization: `Bearer ${token}` },
    ...extra,
  });
  const reasonOf = (body: string) => (JSON.parse(body) as { reason: string }).reason;

  describe.each(PROTOCOLS)('over %s', (_name, send) => {
    test('the eight cases of the demo come out right', async () => {
      const past = Math.floor(Date.now() / 1000) - 600;
      const cast: Cast = {
        frontend: mesh.frontend,
        reporting: mesh.reporting,
        foreigner,
        tokens: {
          bound: token,
          expired: await mesh.issuer.mint({ scope: 'orders:read', iat: past, exp: past + 300 }),
          otherAudience: await mesh.issuer.mint({ scope: 'orders:read', aud: 'payments' }),
        },
      };
      const cases = demoCases(cast);
      expect(cases).toHaveLength(8);
      for (const one of cases) {
        const { status, body } = await send(
          as(one.workload as Svid, {
            method: one.method,
            path: one.path,
            headers: { ...(one.token && { authorization: `Bearer ${one.token}` }), ...one.headers },
          }),
        );
        const seen =
          status === 200 ? (JSON.parse(body) as Echo).headers['x-countersign-spiffe-id'] : undefined;
        expect([one.title, status, status === 200 ? 'allowed' : reasonOf(body), seen]).toEqual([
          one.title,
          one.expect.status,
          one.expect.reason,
          one.expect.upstreamSpiffeId,
        ]);
      }
    });

    test('trap 6: a client that sends our headers, once or twice, has them overwritten', async () => {
      const forged = {
        'x-countersign-spiffe-id': ['spiffe://example.org/a', 'spiffe://example.org/b'],
        'x-countersign-subject': 'root',
      };
      const { status, body } = await send(
        as(mesh.frontend, { headers: { authorization: `Bearer ${token}`, ...forged } }),
      );
      expect(status).toBe(200);
      const { headers } = JSON.parse(body) as Echo;
      expect(headers['x-countersign-spiffe-id']).toBe(mesh.frontend.spiffeId);
      expect(headers['x-countersign-subject']).toBe('frontend');
      expect(headers['x-countersign-decision-id']).toMatch(/^[0-9a-f-]{36}$/);
    });

    test('trap 17: two authorization headers in one are refused', async () => {
      const joined = await send(
        as(mesh.frontend, { headers: { authorization: `Bearer ${token},Bearer x` } }),
      );
      expect([joined.status, reasonOf(joined.body)]).toEqual([400, 'token_duplicate']);
    });

    test.each([
      ['/orders/..%2Fadmin', 'path_refused'],
      ['/orders/%2e%2e/admin', 'policy_denied'],
      ['/orders//7', 'allowed'],
      ['/orders/7?next=/admin', 'allowed'],
      ['/admin?x=/orders/7', 'policy_denied'],
    ])('trap 15: %s is decided on its canonical form: %s', async (path, reason) => {
      const { status, body } = await send(as(mesh.frontend, { path }));
      expect(status === 200 ? 'allowed' : reasonOf(body)).toBe(reason);
    });

    test('trap 44: a forged x-forwarded-client-cert changes nothing', async () => {
      const xfcc = `Hash=00;URI=spiffe://example.org/ns/shop/sa/admin`;
      const { status, body } = await send(
        as(mesh.frontend, { headers: { authorization: `Bearer ${token}`, 'x-forwarded-client-cert': xfcc } }),
      );
      expect(status).toBe(200);
      expect((JSON.parse(body) as Echo).headers['x-countersign-spiffe-id']).toBe(mesh.frontend.spiffeId);
    });

    test('trap 22: a forged service name is no identity', async () => {
      const { status, body } = await send(
        as(foreigner, {
          headers: {
            authorization: `Bearer ${token}`,
            'x-envoy-downstream-service-cluster': mesh.frontend.spiffeId,
          },
        }),
      );
      expect([status, reasonOf(body)]).toEqual([403, 'trust_domain_unknown']);
    });
  });

  // node:http2 sends no header of this name twice.
  const twice = () => ['host', 'localhost', 'authorization', `Bearer ${token}`, 'authorization', 'Bearer x'];

  test('trap 17: two authorization headers are refused', async () => {
    const { status, body } = await http1(as(mesh.frontend, { headers: twice() }));
    expect([status, reasonOf(body)]).toEqual([400, 'token_duplicate']);
  });

  test('a denial carries the challenge, the decision id and JSON', async () => {
    const { headers, body } = await http1(as(mesh.frontend, { headers: {} }));
    const { error, reason, decision_id: id } = JSON.parse(body) as Record<string, string>;
    expect({ error, reason }).toEqual({ error: 'unauthorized', reason: 'token_missing' });
    expect(headers['www-authenticate']).toBe('Bearer realm="countersign"');
    expect(headers['content-type']).toBe('application/json');
    expect(headers['x-countersign-decision-id']).toBe(id);
  });

  test('a scope that is too low is told by its name', async () => {
    const { status, headers } = await http1(as(mesh.frontend, { method: 'POST', path: '/orders' }));
    expect(status).toBe(403);
    expect(headers['www-authenticate']).toBe(
      'Bearer realm="countersign", error="insufficient_scope", scope="orders:write"',
    );
  });

  test("a route narrows by Envoy's configuration, and a route that is misspelt denies", async () => {
    const open = await http1(as(mesh.frontend, { path: '/open', headers: {} }));
    expect(reasonOf(open.body)).toBe('policy_denied'); // no token was asked for; the policy has no such route
    const payments = await http1(as(mesh.frontend, { path: '/payments' }));
    expect([payments.status, reasonOf(payments.body)]).toEqual([401, 'token_audience_mismatch']);
    const typo = await http1(as(mesh.frontend, { path: '/typo' }));
    expect([typo.status, reasonOf(typo.body)]).toEqual([403, 'route_misconfigured']);
  });

  test('trap 23: a TCP connection is decided on identity alone: listed workloads get through, others are closed', async () => {
    const at = (workload: Svid) => ({ ...as(workload), port: envoy.tcpPort });
    expect(await tcp(at(mesh.frontend))).toContain('HTTP/1.1 200');
    expect(await tcp(at(mesh.reporting))).toBe('');
    expect(await tcp(at(foreigner))).toBe('');
  });

  test('who it was stands in the access log of Envoy', async () => {
    await http1(as(mesh.frontend, { path: '/orders/access-log' }));
    const line = await eventually(() =>
      envoy.output.stdout.split('\n').find((text) => text.includes('/orders/access-log')),
    );
    expect(JSON.parse(line)).toMatchObject({
      countersign: {
        outcome: 'allow',
        reason: 'allowed',
        spiffe_id: mesh.frontend.spiffeId,
        subject: 'frontend',
      },
    });
  });

  test('each answer is one line of the decision log, and no token, cookie or certificate is in it', async () => {
    const before = engine.decisions().length;
    const headers = { authorization: `Bearer ${token}`, cookie: 'session=s3cr3t' };
    const { body } = await http1(as(mesh.frontend, { path: '/orders/7?access_token=s3cr3t', headers }));
    await http1(as(mesh.frontend, { headers: { cookie: 'session=s3cr3t' } }));
    const lines = await eventually(() => {
      const since = engine.decisions().slice(before);
      return since.length >= 2 ? since : undefined;
    });
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatchObject({
      decision_id: (JSON.parse(body) as Echo).headers['x-countersign-decision-id'],
      outcome: 'allow',
      path: 'mesh/authz/decision',
      spiffe_id: mesh.frontend.spiffeId,
      result: { allowed: true },
    });
    expect(lines[1]).toMatchObject({ outcome: 'deny', reason: 'token_missing' });
    const text = JSON.stringify(lines);
    for (const secret of ['s3cr3t', token, token.split('.')[2]!, 'BEGIN%20CERTIFICATE'])
      expect(text).not.toContain(secret);
  });

  test('metrics, liveness and readiness are served beside', async () => {
    const get = async (path: string) => (await fetch(`http://${engine.admin}${path}`)).text();
    expect(await get('/livez')).toBe('ok\n');
    expect(JSON.parse(await get('/readyz'))).toMatchObject({ ready: true });
    const metrics = await get('/metrics');
    expect(metrics).toMatch(/^countersign_decisions_total\{outcome="allow",reason="allowed"\} [1-9]/m);
    expect(metrics).toMatch(
      /^countersign_decisions_total\{outcome="deny",reason="trust_domain_unknown"\} [1-9]/m,
    );
    expect(metrics).toMatch(/^countersign_jwks_keys\{issuer="http:[^"]+"\} 1$/m);
    expect(metrics).not.toContain('spiffe://');
  });

  test('trap 26: a rogue CA of the same trust domain name is caught even where Envoy accepts anybody', async () => {
    const careless = await mesh.envoy(engine.grpc, { acceptUntrusted: true });
    const rogue = await (await mintTrustDomain('example.org')).issueSvid('/ns/shop/sa/frontend');
    const { status, body } = await http1({ ...as(rogue), port: careless.httpPort });
    expect([status, reasonOf(body)]).toEqual([403, 'certificate_untrusted']);
  }, 60_000);

  test('trap 28: no certificate is nobody', async () => {
    const lax = await mesh.envoy(engine.grpc, { certificateOptional: true });
    const { status, body } = await http1({
      port: lax.httpPort,
      ca: mesh.domain.bundlePem,
      path: '/orders/7',
      headers: { authorization: `Bearer ${token}` },
    });
    expect([status, reasonOf(body)]).toEqual([403, 'certificate_missing']);
  }, 60_000);

  test('trap 19: the same decisions where Envoy sends raw headers and bodies', async () => {
    const raw = await mesh.envoy(engine.grpc, { rawHeaders: true, bodyBytes: 4096 });
    const allowed = await http1({ ...as(mesh.frontend), port: raw.httpPort });
    expect(allowed.status).toBe(200);
    expect((JSON.parse(allowed.body) as Echo).headers['x-countersign-spiffe-id']).toBe(
      mesh.frontend.spiffeId,
    );
    const refused = await http1({ ...as(mesh.frontend, { headers: twice() }), port: raw.httpPort });
    expect([refused.status, reasonOf(refused.body)]).toEqual([400, 'token_duplicate']);
  }, 60_000);

  test('the demo asks the same way as these tests do', async () => {
    const ask = askEnvoy(envoy.httpPort, mesh.domain.bundlePem);
    const seen = await ask({
      title: '',
      workload: mesh.frontend,
      method: 'GET',
      path: '/orders/7',
      token,
      expect: { status: 200, reason: 'allowed' },
    });
    expect(seen).toEqual({ status: 200, reason: 'allowed', upstreamSpiffeId: mesh.frontend.spiffeId });
  });
});

function thumbprint(svid: Svid): string {
  return createHash('sha256').update(new X509Certificate(svid.certPem).raw).digest('base64url');
}
