import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startBundles, type BundlesPart } from '../../src/cli/engine/bundles.js';
import { parseConfig } from '../../src/config/load.js';
import { ConfigError } from '../../src/config/problem.js';
import { localHub } from '../../src/feed/feed.js';
import { createIdentityVerifier } from '../../src/identity/verifier.js';
import { createWorkloadApi } from '../../src/spiffe/workload-api.js';
import { createWorkloadSvids, prepareSvid } from '../../src/spiffe/workload-svids.js';
import { evidenceOf } from '../support/ca.js';
import { comeTrue } from '../support/come-true.js';
import { describeSpire, SpireServer, type SpireAgent } from '../support/spire.js';

const quiet = { info: () => {}, warn: () => {}, error: () => {} } as never;
const HOME = 'spiffe://home.example/ns/shop/sa/frontend';
const PARTNER = 'spiffe://partner.example/ns/shop/sa/supplier';

/** Milliseconds for what SPIRE does in steps of its own, on a machine that does other things as well. */
const WHILE = 90_000;

describeSpire('two trust domains of SPIRE that federate', () => {
  let home: SpireServer;
  let partner: SpireServer;
  let agent: SpireAgent;
  let folder: string;
  let entry: string;
  const stopping: (() => unknown)[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'countersign-'));
    [home, partner] = (await Promise.all(
      ['home.example', 'partner.example'].map((name) => SpireServer.start(name, { bundleEndpoint: true })),
    )) as [SpireServer, SpireServer];
    agent = await home.startAgent();
    await home.federateWith(partner);
    entry = await home.register({ path: '/countersign', federatesWith: ['partner.example'], ttl: 60 });
  }, 240_000);

  afterEach(async () => {
    for (const stop of stopping.splice(0)) await stop();
  });

  afterAll(async () => {
    await Promise.all([home?.stop(), partner?.stop()]);
    await rm(folder, { recursive: true, force: true });
  });

  async function start(identity: string): Promise<BundlesPart> {
    const text = `identity: ${identity}\ntoken: { mode: "off" }\npolicy: { path: ./p }\n`;
    const config = parseConfig(text, { file: join(folder, 'countersign.yaml'), env: {} });
    if (config instanceof ConfigError) throw config;
    const part = await startBundles(config, { hub: localHub, log: quiet, now: () => Date.now() });
    stopping.push(() => part.stop());
    return part;
  }

  const byAgent = () =>
    start(
      `{ workload_api: { socket: "unix://${agent.socketPath}", refresh: 2s }, trust_domains: { home.example: { workload_api: true }, partner.example: { workload_api: true } } }`,
    );

  /** What the identity stage says of a workload of this ID, whose certificate SPIRE mints. */
  function judge({ store }: BundlesPart, certificate: string, principal: string) {
    const verifier = createIdentityVerifier({ source: 'certificate', bundles: store });
    return verifier.verify(
      evidenceOf({ certificate: encodeURIComponent(certificate), principal }),
      Date.now(),
    );
  }

  const trusts = (bundles: BundlesPart, certificate: string, id: string) => () =>
    expect(judge(bundles, certificate, id)).toMatchObject({ spiffeId: id });

  test('are both known from one agent, and the workloads of each by their own bundle', async () => {
    const bundles = await byAgent();
    await comeTrue(trusts(bundles, await home.mint(HOME), HOME), WHILE);
    await comeTrue(trusts(bundles, await partner.mint(PARTNER), PARTNER), WHILE);
    // SPIRE makes keys of JWT-SVIDs of its own accord.
    await comeTrue(
      () => expect(bundles.store.current().get('home.example')?.jwtAuthorities.keys).not.toEqual([]),
      WHILE,
    );
    expect(bundles.store.current().get('partner.example')?.jwtAuthorities.keys).not.toEqual([]);
  }, 240_000);

  test('go on while the agent is away, and are refreshed when it comes back', async () => {
    const bundles = await byAgent();
    const certificate = await partner.mint(PARTNER);
    await comeTrue(trusts(bundles, certificate, PARTNER), WHILE);
    await agent.kill();
    await comeTrue(
      () => expect(bundles.status()[0]).toMatchObject({ error: expect.stringContaining('UNAVAILABLE') }),
      WHILE,
    );
    expect(judge(bundles, certificate, PARTNER)).toMatchObject({ spiffeId: PARTNER });
    await agent.revive();
    await comeTrue(() => expect(bundles.status()[0]).not.toHaveProperty('error'), WHILE);
  }, 240_000);

  test('give this process an SVID, which rotates', async () => {
    const api = createWorkloadApi(agent.socketPath);
    const feed = createWorkloadSvids({
      api: () => api,
      refresh: 60_000,
      now: () => Date.now(),
      hub: localHub,
    });
    stopping.push(
      () => feed.stop(),
      () => api.close(),
    );
    await feed.start();
    const svid = () => prepareSvid(feed.latest()!.value![0]!);
    await comeTrue(() => expect(svid().spiffeId).toBe('spiffe://home.example/countersign'), WHILE);
    const first = svid();
    expect(new X509Certificate(first.chainPem).checkPrivateKey(first.privateKey)).toBe(true);
    // At half of its minute.
    await comeTrue(() => expect(svid().chainPem).not.toBe(first.chainPem), WHILE);
    expect(svid().notAfter).toBeGreaterThan(first.notAfter);
  }, 240_000);

  test('are parted as soon as the federation is taken back', async () => {
    const bundles = await byAgent();
    const certificate = await partner.mint(PARTNER);
    await comeTrue(trusts(bundles, certificate, PARTNER), WHILE);
    await home.unregister(entry);
    entry = await home.register({ path: '/countersign' });
    await comeTrue(
      () => expect(judge(bundles, certificate, PARTNER)).toMatchObject({ code: 'trust_bundle_unavailable' }),
      WHILE,
    );
    await comeTrue(trusts(bundles, await home.mint(HOME), HOME), WHILE);
  }, 240_000);

  test('are told within moments of an authority that one of them adds, and of one that it revokes', async () => {
    const bundles = await byAgent();
    const old = await home.mint(HOME);
    await comeTrue(trusts(bundles, old, HOME), WHILE);

    const prepared = await home.prepareAuthority();
    await comeTrue(
      () => expect(bundles.store.current().get('home.example')?.authorities).toHaveLength(2),
      WHILE,
    );
    const former = await home.activateAuthority(prepared);
    const fresh = await home.mint(HOME);
    expect(judge(bundles, fresh, HOME)).toMatchObject({ spiffeId: HOME });
    expect(judge(bundles, old, HOME)).toMatchObject({ spiffeId: HOME });

    await home.taintAuthority(former);
    await home.revokeAuthority(former);
    await comeTrue(
      () => expect(judge(bundles, old, HOME)).toMatchObject({ code: 'certificate_untrusted' }),
      WHILE,
    );
    expect(judge(bundles, fresh, HOME)).toMatchObject({ spiffeId: HOME });
  }, 240_000);

  test("can be known from SPIRE's own bundle endpoint, through a rotation of the authority that it shows", async () => {
    await writeFile(join(folder, 'partner.json'), await partner.bundle('spiffe'));
    const { url, spiffeId } = partner.bundleEndpoint;
    const identity = (id: string) =>
      `{ trust_domains: { partner.example: { federation: { url: "${url}", profile: https_spiffe, endpoint_spiffe_id: "${id}", bootstrap: partner.json, min_refresh: 1s } } } }`;
    const bundles = await start(identity(spiffeId));
    const old = await partner.mint(PARTNER);
    await comeTrue(trusts(bundles, old, PARTNER), WHILE);
    const { sequence } = bundles.store.current().get('partner.example')!;

    const former = await partner.activateAuthority(await partner.prepareAuthority());
    const fresh = await partner.mint(PARTNER);
    await comeTrue(trusts(bundles, fresh, PARTNER), WHILE);
    await partner.taintAuthority(former);
    await partner.revokeAuthority(former);
    await comeTrue(
      () => expect(judge(bundles, old, PARTNER)).toMatchObject({ code: 'certificate_untrusted' }),
      WHILE,
    );
    expect(bundles.status()[0]).not.toHaveProperty('error');
    expect(bundles.store.current().get('partner.example')!.sequence).toBeGreaterThan(sequence!);

    const misled = await start(identity('spiffe://partner.example/another'));
    expect(misled.status()[0]).toMatchObject({ unavailable: expect.stringContaining('is not the endpoint') });
  }, 240_000);
});
