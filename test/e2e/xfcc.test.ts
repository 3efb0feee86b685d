import type { ForwardClientCert } from '../../src/demo/envoy-config.js';
import type { Envoy } from '../../src/demo/envoy.js';
import type { Svid } from '../../src/demo/trust-domain.js';
import { HOUR, inEveryForm, TestCa, type TestCertificate } from '../support/ca.js';
import { describeEnvoy } from '../support/real-envoy.js';
import { xfccObject, xfccText } from '../support/xfcc.js';
import { http1 } from './client.js';
import { type EdgeOptions, startEdge } from './edge.js';
import type { EngineProcess } from './engine.js';
import { type Echo, type Mesh, startMesh } from './mesh.js';

const ALL = `package mesh.authz
import rego.v1
decision := {"allowed": true}
`;

const GATEWAY = '/ns/edge/sa/gateway';
const EDGE = '/ns/edge/sa/edge';
const identity = (trustedHops: number, from: string[], format = 'auto') => `
  source: xfcc
  xfcc: { trusted_hops: ${trustedHops}, format: ${format}, from: [${from.join(', ')}] }`;

type Key = TestCertificate & { readonly keyPem: string };

describeEnvoy('x-forwarded-client-cert through real Envoys', () => {
  let mesh: Mesh;
  /** Its roots are the mesh's too, and it issues what no CA of good sense would. */
  let careless: TestCa;
  let roots: string;
  let gateway: Svid;
  let edge: Svid;
  let oneHop: EngineProcess;
  let twoHops: EngineProcess;
  const stops: (() => Promise<void>)[] = [];
  const envoys = new Map<string, Envoy>();

  beforeAll(async () => {
    mesh = await startMesh();
    const now = Date.now();
    careless = await TestCa.create({ name: 'CN=careless', notBefore: now - HOUR, notAfter: now + HOUR });
    roots = mesh.domain.bundlePem + careless.certificate.pem;
    gateway = await mesh.domain.issueSvid(GATEWAY, { dns: ['localhost'] });
    edge = await mesh.domain.issueSvid(EDGE, { dns: ['localhost'] });
    const from = [gateway.spiffeId, edge.spiffeId];
    const common = { policy: ALL, tokenMode: 'off', bundle: roots };
    oneHop = await mesh.engine({ ...common, identity: identity(1, from) });
    twoHops = await mesh.engine({ ...common, identity: identity(2, from) });
  }, 120_000);
  afterAll(async () => {
    for (const stop of stops) await stop();
    await mesh?.close();
  });

  /** The Envoy that asks, in one of its modes. */
  async function asking(
    engine: EngineProcess,
    forward: ForwardClientCert,
    rawHeaders = false,
  ): Promise<Envoy> {
    const key = JSON.stringify([engine.name, forward, rawHeaders]);
    const envoy =
      envoys.get(key) ??
      (await mesh.envoy(engine.grpc, { forwardClientCert: forward, rawHeaders }, careless.certificate.pem));
    envoys.set(key, envoy);
    return envoy;
  }

  /** A proxy ahead of it. */
  async function ahead(options: Pick<EdgeOptions, 'svid' | 'forward' | 'next' | 'mutual'>) {
    const started = await startEdge({ folder: mesh.folder, roots, ...options });
    stops.push(() => started.stop());
    return started;
  }

  const issue = (uris: string[], dns: string[] = []): Promise<Key> =>
    careless.issueWithKey({ uris, dns, notBefore: Date.now() - HOUR, notAfter: Date.now() + HOUR });

  /** Who the upstream is told that it was, or why it was refused. */
  async function seen(port: number, who: Svid | Key | undefined, ...xfcc: string[]): Promise<string> {
    const certificate = who && { certPem: 'certPem' in who ? who.certPem : who.pem, keyPem: who.keyPem };
    const headers = ['host', 'localhost', ...xfcc.flatMap((line) => ['x-forwarded-client-cert', line])];
    const { status, body } = await http1({ port, ca: mesh.domain.bundlePem, headers, ...certificate });
    if (status === 200) return (JSON.parse(body) as Echo).headers['x-countersign-spiffe-id'] as string;
    return (JSON.parse(body) as { reason: string }).reason;
  }

  const victimOf = (svid: Svid) => {
    const der = Buffer.from(svid.certPem.replace(/-----.*?-----|\s/g, ''), 'base64');
    return { leaf: inEveryForm(der), uris: [svid.spiffeId] };
  };

  describe.each([
    'SANITIZE',
    'FORWARD_ONLY',
    'APPEND_FORWARD',
    'SANITIZE_SET',
    'ALWAYS_FORWARD_ONLY',
  ] as const)('where the Envoy that asks has %s', (mode) => {
    const forges = (victim: ReturnType<typeof victimOf>) => [
      xfccText(victim),
      JSON.stringify([xfccObject(victim)]),
      `${xfccText(victim)},${xfccText(victim)}`,
      `By=x;URI=${mesh.frontend.spiffeId}`,
      'X="',
      '[',
      '[{"hash":"a"}',
    ];

    test('a workload that connects directly is nobody, whatever it writes', async () => {
      const { httpPort } = await asking(oneHop, { mode });
      const expected = mode === 'SANITIZE' ? 'xfcc_missing' : 'xfcc_hop_untrusted';
      for (const line of forges(victimOf(mesh.frontend))) {
        expect([line.slice(0, 20), await seen(httpPort, mesh.reporting, line)]).toEqual([
          line.slice(0, 20),
          expected,
        ]);
      }
    }, 60_000);

    test('a client of the trusted proxy is itself, or nobody, whatever it writes', async () => {
      const { httpPort } = await asking(oneHop, { mode });
      const proxy = await ahead({ svid: gateway, forward: { mode: 'SANITIZE_SET' }, next: httpPort });
      const expected = {
        SANITIZE: 'xfcc_missing',
        FORWARD_ONLY: mesh.reporting.spiffeId,
        ALWAYS_FORWARD_ONLY: mesh.reporting.spiffeId,
        // This Envoy appends the proxy itself, which one hop does not count.
        APPEND_FORWARD: 'xfcc_hop_untrusted',
        SANITIZE_SET: 'xfcc_hop_untrusted',
      }[mode];
      expect(await seen(proxy.port, mesh.reporting)).toBe(expected);
      for (const line of forges(victimOf(mesh.frontend)))
        expect(await seen(proxy.port, mesh.reporting, line)).toBe(expected);
    }, 60_000);
  });

  test.each([
    ['text', false],
    ['JSON', true],
  ])(
    'with two hops the Envoy that asks may append an element of its own, as %s',
    async (_, json) => {
      const { httpPort } = await asking(twoHops, { mode: 'APPEND_FORWARD', json });
      const proxy = await ahead({ svid: gateway, forward: { mode: 'SANITIZE_SET', json }, next: httpPort });
      expect(await seen(proxy.port, mesh.frontend)).toBe(mesh.frontend.spiffeId);
      expect(await seen(proxy.port, mesh.reporting, xfccText(victimOf(mesh.frontend)))).toBe(
        mesh.reporting.spiffeId,
      );
      // Around the proxy, there is an element too few.
      expect(await seen(httpPort, gateway)).toBe('xfcc_missing');
    },
    60_000,
  );

  test.each([
    ['text', false],
    ['JSON', true],
  ])(
    'two proxies ahead, as %s: the client is the second from the end',
    async (_, json) => {
      const { httpPort } = await asking(twoHops, { mode: 'FORWARD_ONLY' });
      const near = await ahead({ svid: gateway, forward: { mode: 'APPEND_FORWARD', json }, next: httpPort });
      const far = await ahead({ svid: edge, forward: { mode: 'SANITIZE_SET', json }, next: near.port });
      expect(await seen(far.port, mesh.frontend)).toBe(mesh.frontend.spiffeId);
      for (const forged of [
        xfccText(victimOf(mesh.frontend)),
        JSON.stringify([xfccObject(victimOf(mesh.frontend))]),
      ])
        expect(await seen(far.port, mesh.reporting, forged)).toBe(mesh.reporting.spiffeId);
      // A client that goes around the far proxy writes the element that it should have written.
      expect(await seen(near.port, mesh.reporting, xfccText(victimOf(mesh.frontend)))).toBe(
        'xfcc_hop_untrusted',
      );
      expect(await seen(near.port, mesh.reporting)).toBe('xfcc_missing');
    },
    60_000,
  );

  describe('a proxy that appends to what its clients write', () => {
    let port: number;
    beforeAll(async () => {
      const { httpPort } = await asking(oneHop, { mode: 'FORWARD_ONLY' }, true);
      ({ port } = await ahead({ svid: gateway, forward: { mode: 'APPEND_FORWARD' }, next: httpPort }));
    }, 60_000);

    test('trap 47: the last element is the only one that counts', async () => {
      const victim = xfccText(victimOf(mesh.frontend));
      expect(await seen(port, mesh.reporting)).toBe(mesh.reporting.spiffeId);
      expect(await seen(port, mesh.reporting, victim)).toBe(mesh.reporting.spiffeId);
      expect(await seen(port, mesh.reporting, victim, victim)).toBe(mesh.reporting.spiffeId);
    });

    test('trap 46: JSON before text, or broken JSON, is itself or refused and never mis-split', async () => {
      const object = JSON.stringify([xfccObject(victimOf(mesh.frontend))]);
      for (const line of [object, '[', '[]', '[{', `${object},`, `[${object}`, '{}', ' [', 'X="', 'X="\\'])
        expect([mesh.reporting.spiffeId, 'xfcc_malformed']).toContain(await seen(port, mesh.reporting, line));
    });

    test('trap 45: names with separators forge no element', async () => {
      const { leaf } = victimOf(mesh.frontend);
      const victim = `Hash=${leaf.hash};Cert="${leaf.encoded}";URI=${mesh.frontend.spiffeId}`;
      for (const smuggled of [
        'spiffe://example.org/b;By=spiffe://example.org/x',
        `spiffe://example.org/b;URI=${mesh.frontend.spiffeId}`,
        `spiffe://example.org/b,${victim}`,
        `spiffe://example.org/b;${victim}`,
        `spiffe://example.org/b",${victim}`,
        `,${victim}`,
      ]) {
        for (const thief of [
          await issue([smuggled]),
          await issue(['spiffe://example.org/thief'], [smuggled]),
        ]) {
          expect(await seen(port, thief)).toMatch(
            /^(xfcc_malformed|xfcc_mismatch|spiffe_id_invalid|spiffe:\/\/example\.org\/thief)$/,
          );
        }
      }
    }, 60_000);
  });

  test('trap 28: a client that shows the trusted proxy no certificate is nobody', async () => {
    const { httpPort } = await asking(oneHop, { mode: 'FORWARD_ONLY' });
    for (const [mode, expected] of [
      ['SANITIZE_SET', 'xfcc_missing'],
      ['SANITIZE', 'xfcc_missing'],
      ['FORWARD_ONLY', 'xfcc_missing'],
    ] as const) {
      const lax = await ahead({ svid: gateway, forward: { mode }, next: httpPort, mutual: false });
      expect(await seen(lax.port, undefined, xfccText(victimOf(mesh.frontend)))).toBe(expected);
    }
  }, 60_000);
});
