import { X509Certificate } from 'node:crypto';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { status } from '@grpc/grpc-js';
import type { EnvoySetup } from '../../src/demo/envoy-config.js';
import { mintTrustDomain, type Svid, type TrustDomain } from '../../src/demo/trust-domain.js';
import { comeTrue } from '../support/come-true.js';
import { FakeWorkloadApi } from '../support/fake-workload-api.js';
import { describeEnvoy } from '../support/real-envoy.js';
import { http1 } from './client.js';
import type { EngineProcess } from './engine.js';
import { startMesh, type Mesh } from './mesh.js';

const POLICY = `package mesh.authz
import rego.v1
decision := {"allowed": true}
`;
const OWN = '/countersign';
const GATEWAY = '/ns/edge/sa/gateway';

const bytes = (pem: string) => Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64');

let mesh: Mesh;
let agent: FakeWorkloadApi;
let partner: TrustDomain;
let gateway: Svid;

beforeAll(async () => {
  mesh = await startMesh();
  partner = await mintTrustDomain('partner.example');
  agent = await FakeWorkloadApi.start();
  agent.bundles({
    'spiffe://example.org': bytes(mesh.domain.bundlePem),
    'spiffe://partner.example': bytes(partner.bundlePem),
  });
  agent.say('FetchJWTBundles', { bundles: {} });
  give(await mesh.domain.issueSvid(OWN));
  gateway = await mesh.domain.issueSvid(GATEWAY);
}, 120_000);
afterAll(async () => {
  await mesh?.close();
  await agent?.stop();
});

const received = ({ spiffeId, certPem, keyPem }: Svid) => ({
  spiffeId,
  x509Svid: bytes(certPem),
  x509SvidKey: bytes(keyPem),
  hint: '',
});

/** From now on this is the SVID that the agent gives Countersign. */
function give(svid: Svid): void {
  agent.say('FetchX509SVID', { svids: [received(svid)] });
}

const start = (more = '', tls = 'workload_api: true', listen = ''): Promise<EngineProcess> =>
  mesh.engine({
    policy: POLICY,
    tokenMode: 'off',
    listen: `tls: { ${tls}, clients: ['spiffe://example.org/ns/edge/*/*', 'spiffe://partner.example/envoy'] }, ${listen}`,
    identity: `
    partner.example: { workload_api: true }
  workload_api: { socket: "unix://${agent.socketPath}" }`,
    more,
  });

/** How an Envoy that has this SVID asks. */
async function asEnvoy(svid: Svid): Promise<Pick<EnvoySetup, 'engineTls'>> {
  const folder = await mkdtemp(join(mesh.folder, 'client-'));
  const write = async (name: string, text: string) => {
    await writeFile(join(folder, name), text, { mode: 0o600 });
    return join(folder, name);
  };
  return {
    engineTls: {
      certificate: await write('svid.pem', svid.chainPem),
      key: await write('key.pem', svid.keyPem),
      roots: await write('roots.pem', mesh.domain.bundlePem),
      spiffeId: `spiffe://example.org${OWN}`,
    },
  };
}

async function metric(engine: EngineProcess, sample: string): Promise<number> {
  const text = await (await fetch(`http://${engine.admin}/metrics`)).text();
  const line = text.split('\n').find((each) => each.startsWith(`${sample} `));
  return Number(line?.slice(sample.length + 1));
}

const refused = (engine: EngineProcess, cause: string) =>
  metric(engine, `countersign_connections_refused_total{cause="${cause}"}`);

const readiness = async (engine: EngineProcess) => {
  const response = await fetch(`http://${engine.admin}/readyz`);
  return { status: response.status, text: await response.text() };
};

const ask = (port: number) =>
  http1({
    port,
    ca: mesh.domain.bundlePem,
    certPem: mesh.frontend.certPem,
    keyPem: mesh.frontend.keyPem,
  }).then((answer) => answer.status);

/** What Countersign shows to who connects now. */
function shownBy(engine: EngineProcess): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const [host, port] = engine.grpc.split(':');
    const socket = connect({
      host: host!,
      port: Number(port),
      rejectUnauthorized: false,
      ALPNProtocols: ['h2'],
      cert: gateway.chainPem,
      key: gateway.keyPem,
    });
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      resolve(socket.getPeerCertificate().raw);
      socket.destroy();
    });
  });
}

const der = (svid: Svid) => new X509Certificate(svid.certPem).raw;

/** Asks through Envoy until it is told to stop, several requests at a time, and gives every answer that came. */
function underLoad(port: number) {
  let stopped = false;
  const statuses: number[] = [];
  const askers = Array.from({ length: 4 }, async () => {
    while (!stopped) statuses.push(await ask(port));
  });
  return async () => {
    stopped = true;
    await Promise.all(askers);
    return statuses;
  };
}

for (const workers of [1, 2])
  describeEnvoy(
    `Countersign's own endpoint, with ${workers} worker(s), and a real Envoy that asks there`,
    () => {
      let engine: EngineProcess;
      beforeAll(async () => {
        const own = await mesh.domain.issueSvid(OWN);
        give(own);
        engine = await start(`workers: ${workers}\n`, 'workload_api: true', 'max_connection_age: 1s');
      }, 60_000);

      test('answers the Envoy that configuration names, of its own trust domain or of another', async () => {
        const ours = await mesh.envoy(engine.grpc, await asEnvoy(gateway));
        expect(await ask(ours.httpPort)).toBe(200);
        const theirs = await mesh.envoy(engine.grpc, await asEnvoy(await partner.issueSvid('/envoy')));
        expect(await ask(theirs.httpPort)).toBe(200);
      });

      test.each([
        [
          'a stranger of this trust domain',
          'client_not_accepted',
          () => mesh.domain.issueSvid('/ns/shop/sa/frontend'),
        ],
        ['a stranger of another one', 'client_not_accepted', () => partner.issueSvid(GATEWAY)],
        [
          'an Envoy whose certificate another authority made in our name',
          'certificate_untrusted',
          async () => (await mintTrustDomain('example.org')).issueSvid(GATEWAY),
        ],
        [
          'an Envoy whose certificate has expired',
          'certificate_expired',
          () => mesh.domain.issueSvid(GATEWAY, { notBefore: Date.now() - 30_000, ttlMs: 10_000 }),
        ],
      ])('has no answer for %s, and counts and logs why', async (_, cause, svid) => {
        const envoy = await mesh.envoy(engine.grpc, await asEnvoy(await svid()));
        expect(await ask(envoy.httpPort)).toBe(403);
        await comeTrue(async () => expect(await refused(engine, cause)).toBeGreaterThan(0));
        await comeTrue(() => expect(engine.log()).toContain(`"code":"${cause}"`));
        envoy.stop();
      });

      test('has no answer for an Envoy that speaks in the clear', async () => {
        const envoy = await mesh.envoy(engine.grpc);
        expect(await ask(envoy.httpPort)).toBe(403);
        await comeTrue(async () => expect(await refused(engine, 'handshake_failed')).toBeGreaterThan(0));
      });

      test('loses no call while its certificate rotates and connections come and go', async () => {
        const envoy = await mesh.envoy(engine.grpc, { ...(await asEnvoy(gateway)), timeout: '5s' });
        const stop = underLoad(envoy.httpPort);
        for (let n = 0; n < 6; n++) {
          const next = await mesh.domain.issueSvid(OWN);
          give(next);
          await comeTrue(async () => expect(await shownBy(engine)).toEqual(der(next)));
          await sleep(700);
        }
        const statuses = await stop();
        expect(statuses.length).toBeGreaterThan(200);
        expect(statuses.filter((code) => code !== 200)).toEqual([]);
        expect(engine.log()).not.toMatch(/defect|worker ended/);
      }, 60_000);

      test('shows an Envoy out when its trust domain is withdrawn, and lets it in again with it', async () => {
        const envoy = await mesh.envoy(engine.grpc, await asEnvoy(await partner.issueSvid('/envoy')));
        expect(await ask(envoy.httpPort)).toBe(200);
        agent.bundles({ 'spiffe://example.org': bytes(mesh.domain.bundlePem) });
        await comeTrue(async () => expect(await ask(envoy.httpPort)).toBe(403));
        expect(await refused(engine, 'trust_bundle_unavailable')).toBeGreaterThan(0);
        agent.bundles({
          'spiffe://example.org': bytes(mesh.domain.bundlePem),
          'spiffe://partner.example': bytes(partner.bundlePem),
        });
        await comeTrue(async () => expect(await ask(envoy.httpPort)).toBe(200));
      });

      test('keeps its key to itself', async () => {
        const text = engine.log() + JSON.stringify(engine.decisions()) + (await readiness(engine)).text;
        expect(text + (await (await fetch(`http://${engine.admin}/metrics`)).text())).not.toMatch(
          /PRIVATE KEY/,
        );
        expect(text.length).toBeGreaterThan(500);
      });
    },
  );

describe("Countersign's own endpoint", () => {
  test('is not ready before it has a certificate, and says so', async () => {
    agent.fallSilent('FetchX509SVID');
    agent.say('FetchX509SVID', status.PERMISSION_DENIED);
    const engine = await start();
    const before = await readiness(engine);
    expect(before.status).toBe(503);
    expect(before.text).toContain("this server's X.509-SVID");
    expect(before.text).toContain('PERMISSION_DENIED');
    await expect(shownBy(engine)).rejects.toThrow();
    expect(await refused(engine, 'svid_unavailable')).toBe(1);
    const next = await mesh.domain.issueSvid(OWN);
    give(next);
    await comeTrue(async () => expect((await readiness(engine)).status).toBe(200));
    expect(await shownBy(engine)).toEqual(der(next));
    const expiry = await metric(engine, 'countersign_svid_expiry_timestamp_seconds');
    expect(expiry * 1000).toBe(Date.parse(new X509Certificate(next.certPem).validTo));
  }, 60_000);

  test('refuses handshakes with a certificate that has expired', async () => {
    give(await mesh.domain.issueSvid(OWN, { ttlMs: 8_000 }));
    const engine = await start();
    await shownBy(engine);
    await comeTrue(async () => expect((await readiness(engine)).status).toBe(503));
    expect((await readiness(engine)).text).toContain('it expired at');
    await expect(shownBy(engine)).rejects.toThrow();
    expect(await refused(engine, 'svid_unavailable')).toBe(1);
    give(await mesh.domain.issueSvid(OWN));
    await comeTrue(async () => expect((await readiness(engine)).status).toBe(200));
  }, 60_000);

  test('shows the SVID that configuration names, where the agent gives several', async () => {
    const [first, second] = [await mesh.domain.issueSvid('/other'), await mesh.domain.issueSvid(OWN)];
    agent.say('FetchX509SVID', { svids: [received(first), received(second)] });
    const engine = await start('', `workload_api: true, spiffe_id: ${second.spiffeId}`);
    expect(await shownBy(engine)).toEqual(der(second));
    give(first);
    await comeTrue(async () =>
      expect((await readiness(engine)).text).toContain(`gives none of ${second.spiffeId}`),
    );
  }, 60_000);

  test('takes certificate and key from files, and follows them once both are new', async () => {
    const [first, second] = [await mesh.domain.issueSvid(OWN), await mesh.domain.issueSvid(OWN)];
    const [certificate, key] = [join(mesh.folder, 'own.pem'), join(mesh.folder, 'own_key.pem')];
    await writeFile(certificate, first.chainPem);
    await writeFile(key, first.keyPem);
    const engine = await start('', 'certificate: ./own.pem, private_key: ./own_key.pem');
    expect(await shownBy(engine)).toEqual(der(first));
    await writeFile(certificate, second.chainPem);
    await comeTrue(async () =>
      expect((await readiness(engine)).text).toContain('its key is not that of its certificate'),
    );
    expect(await shownBy(engine)).toEqual(der(first));
    await writeFile(key, second.keyPem);
    await comeTrue(async () => expect(await shownBy(engine)).toEqual(der(second)));
  }, 60_000);

  test('does not start with files that are no X.509-SVID with its key', async () => {
    const [first, second] = [await mesh.domain.issueSvid(OWN), await mesh.domain.issueSvid(OWN)];
    await writeFile(join(mesh.folder, 'a.pem'), first.chainPem);
    await writeFile(join(mesh.folder, 'b_key.pem'), second.keyPem);
    const starting = start('', 'certificate: ./a.pem, private_key: ./b_key.pem');
    await expect(starting).rejects.toThrow(/listen\.tls: .*a\.pem: its key is not that of its certificate/);
    await expect(start('', 'certificate: ./a.pem, private_key: ./none.pem')).rejects.toThrow(
      /listen\.tls: .*none\.pem: cannot be read \(ENOENT\)/,
    );
  }, 60_000);
});
