import { X509Certificate } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import { mintTrustDomain } from '../../src/demo/trust-domain.js';
import { copyingHub } from '../support/copying-hub.js';
import { createBundleStore } from '../../src/identity/bundle-store.js';
import { createWorkloadApi } from '../../src/spiffe/workload-api.js';
import { createWorkloadBundles } from '../../src/spiffe/workload-bundles.js';
import { createWorkloadSvids, prepareSvid } from '../../src/spiffe/workload-svids.js';
import { comeTrue } from '../support/come-true.js';
import { FakeWorkloadApi } from '../support/fake-workload-api.js';
import { TestKey } from '../token/support.js';

const der = (pem: string) => new X509Certificate(pem).raw;

const home = await mintTrustDomain('home.example');
const partner = await mintTrustDomain('partner.example');
const successor = await mintTrustDomain('partner.example');
const key = await TestKey.create('k1');
const jwks = (...kids: string[]) =>
  Buffer.from(JSON.stringify({ keys: kids.map((kid) => key.published({ kid, use: undefined })) }));

const BOTH = {
  'spiffe://home.example': der(home.bundlePem),
  'spiffe://partner.example': der(partner.bundlePem),
};

let agent: FakeWorkloadApi;
let stopping: (() => void)[] = [];

beforeEach(async () => {
  agent = await FakeWorkloadApi.start();
  agent.bundles(BOTH);
  agent.say('FetchJWTBundles', { bundles: { 'spiffe://home.example': jwks('k1') } });
});

afterEach(async () => {
  for (const stop of stopping) stop();
  stopping = [];
  await agent.stop();
});

async function connect({ refresh = 60_000, maxStale = 60_000 } = {}) {
  const api = createWorkloadApi(agent.socketPath);
  let ahead = 0;
  const now = () => Date.now() + ahead;
  const bundles = createWorkloadBundles({ api: () => api, refresh, now, hub: copyingHub });
  const store = createBundleStore({
    sources: ['home.example', 'partner.example'].map((name) => bundles.source(name, maxStale)),
    now,
  });
  stopping.push(
    bundles.x509.onChange(() => void store.update()),
    bundles.jwt.onChange(() => void store.update()),
    () => bundles.x509.stop(),
    () => bundles.jwt.stop(),
    () => api.close(),
  );
  await Promise.all([bundles.x509.start(), bundles.jwt.start()]);
  const partnerIs = (outcome: object) => () =>
    expect(store.current().find('partner.example')).toMatchObject(outcome);
  return {
    api,
    store,
    bundles,
    later: (milliseconds: number) => (ahead += milliseconds),
    partnerIsHere: () => comeTrue(partnerIs({ authorities: [expect.anything()] })),
    partnerIsGone: (why = '') =>
      comeTrue(partnerIs({ code: 'trust_bundle_unavailable', detail: expect.stringContaining(why) })),
  };
}

describe('trust bundles from the Workload API', () => {
  test('are those of the first message when the feed has started, with the keys of JWT-SVIDs', async () => {
    const { store } = await connect();
    const bundle = store.current().get('home.example')!;
    expect(bundle.authorities.map(({ der }) => der)).toEqual([der(home.bundlePem)]);
    expect(bundle.jwtAuthorities.keys).toMatchObject([{ keyId: 'k1' }]);
    expect(store.current().get('partner.example')!.jwtAuthorities.keys).toEqual([]);
    expect(store.status().filter(({ error }) => error !== undefined)).toEqual([]);
  });

  test('are replaced by each message, and those that are the same stay what they are', async () => {
    const { store } = await connect();
    const before = store.current();
    agent.bundles({ ...BOTH, 'spiffe://partner.example': der(successor.bundlePem) });
    await comeTrue(() => {
      const { authorities } = store.current().get('partner.example')!;
      expect(authorities.map(({ der }) => der)).toEqual([der(successor.bundlePem)]);
    });
    expect(store.current().get('home.example')).toBe(before.get('home.example'));
  });

  test('trap 41: are dropped at once when a message omits their domain', async () => {
    const { store, partnerIsGone, partnerIsHere } = await connect();
    agent.bundles({ 'spiffe://home.example': der(home.bundlePem) });
    await partnerIsGone('the Workload API does not send it');
    expect(store.current().get('home.example')).toBeDefined();
    agent.bundles(BOTH);
    await partnerIsHere();
    agent.bundles({});
    await partnerIsGone();
    expect(store.current().get('home.example')).toBeUndefined();
  });

  test('trap 40: that are empty leave their domain without any authority', async () => {
    const { store } = await connect();
    agent.bundles({ ...BOTH, 'spiffe://partner.example': Buffer.alloc(0) });
    await comeTrue(() => expect(store.current().get('partner.example')!.authorities).toEqual([]));
    expect(store.current().get('home.example')!.authorities).toHaveLength(1);
  });

  test.each([
    ['is no certificate', { 'spiffe://partner.example': Buffer.from('nonsense') }, 'not one certificate'],
    [
      'comes under two names',
      { 'spiffe://partner.example': der(successor.bundlePem), 'partner.example': der(partner.bundlePem) },
      'it was sent under two names',
    ],
  ])('stay what they were, growing older, where one %s', async (_, bundles, fault) => {
    const { store, later } = await connect();
    const before = store.current().get('partner.example');
    later(50_000);
    agent.bundles({ ...BOTH, ...bundles });
    await comeTrue(() => expect(store.status()[1]).toMatchObject({ error: expect.stringContaining(fault) }));
    expect(store.current().get('partner.example')).toBe(before);
    later(80_000);
    expect(store.current().find('partner.example')).toMatchObject({ code: 'trust_bundle_unavailable' });
    expect(store.current().get('home.example')).toBeDefined();
  });

  test('of a name that is none of a trust domain are passed over', async () => {
    agent.bundles({
      ...BOTH,
      'spiffe://Other.example': der(home.bundlePem),
      'https://x': der(home.bundlePem),
    });
    const { bundles } = await connect();
    expect(bundles.trustDomains()).toEqual(['home.example', 'partner.example']);
  });
});

describe('an agent that', () => {
  test('denies everything withdraws what it sent, and is asked again', async () => {
    const { partnerIsGone, partnerIsHere } = await connect();
    agent.say('FetchX509Bundles', status.PERMISSION_DENIED);
    await partnerIsGone('PERMISSION_DENIED: the fake says');
    agent.bundles(BOTH);
    await partnerIsHere();
  });

  test('denies everything for a moment is asked anew before anything of it counts', async () => {
    const { store, partnerIsHere } = await connect();
    const before = store.current();
    agent.say('FetchX509Bundles', status.PERMISSION_DENIED);
    await comeTrue(() =>
      expect(store.status()[0]).toMatchObject({ error: expect.stringContaining('PERMISSION_DENIED') }),
    );
    agent.bundles(BOTH);
    await comeTrue(() => expect(store.status()[0]).not.toHaveProperty('error'));
    expect(agent.asked.FetchX509Bundles).toBe(2);
    expect(store.current()).toBe(before);

    // And the next denial is a first one again.
    agent.say('FetchX509Bundles', status.PERMISSION_DENIED);
    await comeTrue(() => expect(store.status()[0]).toHaveProperty('error'));
    expect(store.current()).toBe(before);
    agent.bundles(BOTH);
    await partnerIsHere();
  });

  test('denies everything and then dies has withdrawn what it sent', async () => {
    const { store, partnerIsGone } = await connect();
    agent.say('FetchX509Bundles', status.PERMISSION_DENIED);
    await comeTrue(() => expect(store.status()[0]).toHaveProperty('error'));
    await agent.kill();
    await partnerIsGone();
  });

  test.each(['UNAVAILABLE', 'INTERNAL', 'RESOURCE_EXHAUSTED', 'OK'] as const)(
    'ends the stream with %s is asked again, and what it sent serves meanwhile',
    async (code) => {
      const { store } = await connect();
      const before = store.current();
      agent.say('FetchX509Bundles', status[code]);
      await comeTrue(() => expect(store.status()[0]).toMatchObject({ error: expect.stringContaining(code) }));
      expect(store.current()).toBe(before);
      agent.bundles(BOTH);
      await comeTrue(() => expect(store.status()[0]).not.toHaveProperty('error'));
      expect(store.current()).toBe(before);
    },
  );

  test.each(['INVALID_ARGUMENT', 'UNIMPLEMENTED'] as const)('answers %s is not asked again', async (code) => {
    agent.say('FetchJWTBundles', status[code]);
    const { store, bundles } = await connect();
    expect(bundles.jwt.latest()).toEqual({ lastError: expect.stringContaining(code) });
    // Longer than the first two attempts of a stream that is worth another.
    await new Promise((resolve) => setTimeout(resolve, 1_800));
    expect(agent.asked.FetchJWTBundles).toBe(1);
    // The other stream knows nothing of it.
    expect(store.current().get('home.example')!.authorities).toHaveLength(1);
    expect(store.status()[0]).not.toHaveProperty('error');
  });

  test('waits longer each time it fails', async () => {
    agent.say('FetchX509Bundles', status.UNAVAILABLE);
    await connect();
    await new Promise((resolve) => setTimeout(resolve, 2_800));
    // At 0, 0.5 and 1.5 s; the next would be at 3.5 s.
    expect(agent.asked.FetchX509Bundles).toBe(3);
  });

  test('is killed may come back within the bound; beyond it its domains fail closed', async () => {
    const { store, later, partnerIsGone, partnerIsHere } = await connect();
    const before = store.current();
    await agent.kill();
    await comeTrue(() =>
      expect(store.status()[0]).toMatchObject({ error: expect.stringContaining('UNAVAILABLE') }),
    );
    expect(store.current()).toBe(before);
    later(119_000);
    expect(store.current()).toBe(before);
    later(2_000);
    await partnerIsGone('it is too old (FetchX509Bundles: UNAVAILABLE');

    await agent.listen();
    await partnerIsHere();
  });

  test('hangs does not pass for one that is well', async () => {
    const { bundles, partnerIsGone } = await connect({ refresh: 200, maxStale: 1_000 });
    await comeTrue(() => expect(agent.asked.FetchX509Bundles).toBeGreaterThan(2));
    agent.fallSilent('FetchX509Bundles');
    await partnerIsGone('it is too old');
    expect(bundles.x509.latest()?.value).toBeDefined();
  });
});

describe('X.509-SVIDs of this process', () => {
  async function svidOf(path: string) {
    const { spiffeId, chainPem, keyPem } = await home.issueSvid(path);
    const x509SvidKey = Buffer.from(keyPem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
    return { spiffeId, x509Svid: der(chainPem), x509SvidKey, bundle: der(home.bundlePem), hint: '' };
  }

  async function receive() {
    const api = createWorkloadApi(agent.socketPath);
    const feed = createWorkloadSvids({
      api: () => api,
      refresh: 60_000,
      now: () => Date.now(),
      hub: copyingHub,
    });
    stopping.push(
      () => feed.stop(),
      () => api.close(),
    );
    await feed.start();
    return feed;
  }

  test('come with their chain and their key, and are replaced when they rotate', async () => {
    const first = await svidOf('/countersign');
    agent.say('FetchX509SVID', { svids: [{ ...first, hint: 'internal' }] });
    const feed = await receive();
    const svid = prepareSvid(feed.latest()!.value![0]!);
    expect(svid.spiffeId).toBe('spiffe://home.example/countersign');
    expect(der(svid.chainPem)).toEqual(first.x509Svid);
    expect(new X509Certificate(svid.chainPem).checkPrivateKey(svid.privateKey)).toBe(true);
    expect(svid.notAfter).toBe(Date.parse(new X509Certificate(svid.chainPem).validTo));
    expect(feed.latest()!.value![0]!.hint).toBe('internal');

    const second = await svidOf('/countersign');
    agent.say('FetchX509SVID', { svids: [second] });
    await comeTrue(() =>
      expect(der(prepareSvid(feed.latest()!.value![0]!).chainPem)).toEqual(second.x509Svid),
    );
  });

  test.each<[string, (good: Awaited<ReturnType<typeof svidOf>>) => Promise<object[]>, string]>([
    ['are none', async () => [], 'without any SVID'],
    [
      'have the key of another',
      async (good) => [{ ...good, x509SvidKey: (await svidOf('/x')).x509SvidKey }],
      'its key is not that of its certificate',
    ],
    ['have no key', async (good) => [{ ...good, x509SvidKey: Buffer.alloc(0) }], 'its key is not'],
    ['have no certificate', async (good) => [{ ...good, x509Svid: Buffer.alloc(0) }], 'not one certificate'],
    [
      'are named otherwise',
      async (good) => [{ ...good, spiffeId: 'spiffe://home.example/y' }],
      'another SPIFFE ID',
    ],
    ['are a CA', async (good) => [good, { ...good, x509Svid: der(home.bundlePem) }], 'SVID 2 cannot be used'],
  ])('stay what they were when those of a message %s', async (_, make, fault) => {
    const good = await svidOf('/countersign');
    agent.say('FetchX509SVID', { svids: [good] });
    const feed = await receive();
    const { value } = feed.latest()!;
    agent.say('FetchX509SVID', { svids: await make(good) });
    await comeTrue(() => expect(feed.latest()).toMatchObject({ lastError: expect.stringContaining(fault) }));
    expect(feed.latest()!.value).toEqual(value);
    expect(feed.latest()!.lastError).not.toContain(value![0]!.privateKey.slice(0, 40));
  });

  test('are withdrawn when the agent says that there are none', async () => {
    agent.say('FetchX509SVID', { svids: [await svidOf('/countersign')] });
    const feed = await receive();
    agent.say('FetchX509SVID', status.PERMISSION_DENIED);
    await comeTrue(() =>
      expect(feed.latest()).toEqual({ lastError: expect.stringContaining('PERMISSION_DENIED') }),
    );
  });
});
