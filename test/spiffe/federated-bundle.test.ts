import { X509Certificate } from 'node:crypto';
import { mintTrustDomain, type SvidOptions, type TrustDomain } from '../../src/demo/trust-domain.js';
import { isRefusal } from '../../src/errors/refusal.js';
import { copyingHub } from '../support/copying-hub.js';
import { createBundleStore } from '../../src/identity/bundle-store.js';
import { parseTrustBundle } from '../../src/identity/trust-bundle.js';
import { createFederatedBundle, type FederatedBundleOptions } from '../../src/spiffe/federated-bundle.js';
import { BundleEndpoint } from '../support/bundle-endpoint.js';
import { comeTrue } from '../support/come-true.js';
import { freePort } from '../support/free-port.js';
import { TestKey } from '../token/support.js';

const partner = await mintTrustDomain('partner.example');
const successor = await mintTrustDomain('partner.example');
const rogue = await mintTrustDomain('partner.example');
const hub = await mintTrustDomain('hub.example', { intermediate: true });
const signer = await TestKey.create('signer');

const SERVER = 'spiffe://partner.example/spire/server';

interface Members {
  readonly spiffe_sequence?: number;
  readonly spiffe_refresh_hint?: number;
}

function spiffeBundle(domains: readonly TrustDomain[], members: Members = {}): string {
  const x5c = (pem: string) => [new X509Certificate(pem).raw.toString('base64')];
  const keys = domains.map(({ bundlePem }) => ({ use: 'x509-svid', kty: 'EC', x5c: x5c(bundlePem) }));
  return JSON.stringify({ keys: [...keys, signer.published({ use: 'jwt-svid' })], ...members });
}

let endpoint: BundleEndpoint;
let disk: { [path: string]: string };
let stopping: (() => void)[];

beforeEach(async () => {
  stopping = [];
  disk = { '/bootstrap': spiffeBundle([partner]), '/ca': partner.bundlePem };
  endpoint = await BundleEndpoint.start(await partner.issueSvid('/spire/server', { dns: ['localhost'] }));
  endpoint.serve(spiffeBundle([partner]));
});

afterEach(async () => {
  for (const stop of stopping) stop();
  await endpoint.stop();
});

/** A bundle that is fetched when the test says so. */
function setUp(options: Partial<FederatedBundleOptions> = {}) {
  let ahead = 0;
  const now = () => Date.now() + ahead;
  const federated = createFederatedBundle({
    trustDomain: 'partner.example',
    url: endpoint.url,
    profile: { kind: 'https_spiffe', spiffeId: SERVER, bundle: { file: '/bootstrap' } },
    minRefresh: 1,
    maxRefresh: 3_600_000,
    maxStale: 60_000,
    readFile: async (path) => {
      if (disk[path] === undefined) throw Object.assign(new Error(), { code: 'ENOENT' });
      return disk[path];
    },
    now,
    hub: copyingHub,
    ...options,
  });
  const store = createBundleStore({ sources: [federated.source], now });
  const feed = federated.feeds[0]!;
  stopping.push(
    feed.onChange(() => void store.update()),
    () => feed.stop(),
  );
  let first = true;
  return {
    store,
    feed,
    later: (milliseconds: number) => (ahead += milliseconds),
    /** What went wrong with one more attempt; undefined when nothing did. */
    async fetch(): Promise<string | undefined> {
      ahead += 2;
      await (first ? feed.start() : feed.demand());
      first = false;
      return store.status()[0]!.error;
    },
    roots: () =>
      store
        .current()
        .get('partner.example')
        ?.authorities.map(({ x509 }) => x509.toString()),
  };
}

const web = { kind: 'https_web', ca: '/ca' } as const;
const byName = () => ({ url: `https://localhost:${endpoint.port}/bundle?of=partner`, profile: web });

describe('a bundle endpoint of the profile https_web', () => {
  test('is believed when the Web PKI vouches for its host, and is asked for its path', async () => {
    const { fetch, roots, store } = setUp(byName());
    expect(await fetch()).toBeUndefined();
    expect(roots()).toEqual([partner.bundlePem]);
    expect(store.current().get('partner.example')?.jwtAuthorities.keys).toMatchObject([{ keyId: 'signer' }]);
    const [request] = endpoint.requests;
    expect(request).toMatchObject({ method: 'GET', url: '/bundle?of=partner' });
    expect(request!.headers.host).toBe(`localhost:${endpoint.port}`);
  });

  test.each<[string, () => object, string]>([
    [
      'that another authority vouches for',
      () => ({ ...byName(), profile: { ...web, ca: '/other' } }),
      'cannot be reached',
    ],
    [
      'that no public authority vouches for',
      () => ({ ...byName(), profile: { kind: 'https_web' } }),
      'cannot be reached',
    ],
    ['of another host', () => ({ ...byName(), url: endpoint.url }), 'ERR_TLS_CERT_ALTNAME_INVALID'],
    [
      'whose authorities cannot be read',
      () => ({ ...byName(), profile: { ...web, ca: '/no' } }),
      '/no: cannot be read (ENOENT)',
    ],
  ])('is not believed, one %s', async (_, options, error) => {
    disk['/other'] = rogue.bundlePem;
    const { fetch, roots } = setUp(options());
    expect(await fetch()).toContain(error);
    expect(roots()).toBeUndefined();
    expect(endpoint.requests).toEqual([]);
  });
});

describe('a bundle endpoint of the profile https_spiffe', () => {
  test('is believed by its SPIFFE ID, whatever its host', async () => {
    const { fetch, roots } = setUp();
    expect(await fetch()).toBeUndefined();
    expect(roots()).toEqual([partner.bundlePem]);
  });

  const another = (path: string, domain: TrustDomain, options?: SvidOptions) =>
    domain.issueSvid(path, options);
  test.each<[string, () => Promise<{ chainPem: string; keyPem: string }>, string]>([
    [
      'of a rogue authority with the same name',
      () => another('/spire/server', rogue),
      'no authority of partner.example',
    ],
    [
      'of another workload of the same domain',
      () => another('/frontend', partner),
      'it has another SPIFFE ID',
    ],
    ['of the same path in another domain', () => another('/spire/server', hub), 'it has another SPIFFE ID'],
    [
      'that has expired',
      () => another('/spire/server', partner, { notBefore: Date.now() - 30_000, ttlMs: 10_000 }),
      'expired at',
    ],
  ])('is sent nothing, and not believed, when it shows the certificate %s', async (_, make, error) => {
    endpoint.show(await make());
    const { fetch, roots } = setUp();
    expect(await fetch()).toContain(`is not the endpoint: `);
    expect(await fetch()).toContain(error);
    expect(roots()).toBeUndefined();
    expect(endpoint.requests).toEqual([]);
  });

  test('is verified with the bundle that was fetched last, so that its authority may rotate', async () => {
    const { fetch, roots } = setUp();
    endpoint.serve(spiffeBundle([partner, successor], { spiffe_sequence: 2 }));
    expect(await fetch()).toBeUndefined();
    endpoint.show(await successor.issueSvid('/spire/server'));
    endpoint.serve(spiffeBundle([successor], { spiffe_sequence: 3 }));
    expect(await fetch()).toBeUndefined();
    expect(roots()).toEqual([successor.bundlePem]);

    // The bootstrap file still holds the first authority, which is trusted no longer.
    endpoint.show(await partner.issueSvid('/spire/server'));
    expect(await fetch()).toContain('no authority of partner.example');
    expect(roots()).toEqual([successor.bundlePem]);
  });

  test('is verified with the bootstrap file again once what was fetched is too old', async () => {
    const { fetch, roots, later } = setUp();
    expect(await fetch()).toBeUndefined();
    endpoint.show(await successor.issueSvid('/spire/server'));
    endpoint.serve(spiffeBundle([successor]));
    disk['/bootstrap'] = successor.bundlePem;
    expect(await fetch()).toContain('no authority of partner.example');
    later(5 * 60_000 + 60_000);
    expect(await fetch()).toBeUndefined();
    expect(roots()).toEqual([successor.bundlePem]);
  });

  test.each([
    ['gone', undefined, '/bootstrap: cannot be read (ENOENT)'],
    ['no bundle', 'nonsense', '/bootstrap: not a trust bundle'],
    ['without an authority', '{"keys":[]}', 'holds no authority'],
  ])('is not believed while the bootstrap file is %s', async (_, text, error) => {
    if (text === undefined) delete disk['/bootstrap'];
    else disk['/bootstrap'] = text;
    const { fetch } = setUp();
    expect(await fetch()).toContain(error);
    expect(endpoint.requests).toEqual([]);
  });

  test('may belong to another domain, whose bundle verifies it and whose keys stay its own', async () => {
    endpoint.show(await hub.issueSvid('/bundles'));
    const ofHub = parseTrustBundle('hub.example', hub.bundlePem);
    if (isRefusal(ofHub)) throw new Error(ofHub.detail);
    const inForce = new Map<string, typeof ofHub>();
    const { fetch, roots, store } = setUp({
      profile: {
        kind: 'https_spiffe',
        spiffeId: 'spiffe://hub.example/bundles',
        bundle: () => inForce.get('hub.example'),
      },
    });
    expect(await fetch()).toContain('there is no bundle yet to verify the endpoint with');
    inForce.set('hub.example', ofHub);
    expect(await fetch()).toBeUndefined();
    expect(roots()).toEqual([partner.bundlePem]);
    expect(store.current().get('hub.example')).toBeUndefined();
  });
});

describe('what a bundle endpoint answers', () => {
  test('trap 43: counts by its use: a key without one is passed over', async () => {
    const [x5c] = JSON.parse(spiffeBundle([partner])).keys;
    endpoint.serve(JSON.stringify({ keys: [{ ...x5c, use: undefined }] }));
    const { fetch, roots } = setUp();
    expect(await fetch()).toBeUndefined();
    expect(roots()).toEqual([]);
  });

  test('trap 42: counts by the first certificate of x5c', async () => {
    const [first] = JSON.parse(spiffeBundle([partner])).keys;
    const [second] = JSON.parse(spiffeBundle([rogue])).keys;
    endpoint.serve(JSON.stringify({ keys: [{ ...first, x5c: [...first.x5c, ...second.x5c] }] }));
    const { fetch, roots } = setUp();
    expect(await fetch()).toBeUndefined();
    expect(roots()).toEqual([partner.bundlePem]);
  });

  test('trap 40: withdraws the domain when it is empty', async () => {
    const { fetch, roots } = setUp();
    await fetch();
    endpoint.serve('{"keys":[]}');
    expect(await fetch()).toBeUndefined();
    expect(roots()).toEqual([]);
  });

  test.each<[string, Members[], string | undefined]>([
    ['that goes back', [{ spiffe_sequence: 7 }, { spiffe_sequence: 6 }], 'its spiffe_sequence went back'],
    ['that goes away', [{ spiffe_sequence: 7 }, {}], 'its spiffe_sequence is gone'],
    ['that stays', [{ spiffe_sequence: 7 }, { spiffe_sequence: 7 }], undefined],
    ['that goes on', [{ spiffe_sequence: 7 }, { spiffe_sequence: 8 }], undefined],
    ['that comes up', [{}, { spiffe_sequence: 1 }], undefined],
    ['that never was', [{}, {}], undefined],
  ])('is judged by a sequence %s', async (_, [first, second], error) => {
    const { fetch, roots } = setUp();
    endpoint.serve(spiffeBundle([partner], first));
    await fetch();
    endpoint.serve(spiffeBundle([partner, successor], second));
    const outcome = await fetch();
    if (error === undefined) expect(outcome).toBeUndefined();
    else expect(outcome).toContain(error);
    expect(roots()).toHaveLength(error === undefined ? 2 : 1);
  });

  test.each<[string, (endpoint: BundleEndpoint) => void, string]>([
    [
      'a redirect',
      (e) => (e.answer = (response) => void response.writeHead(302, { location: e.url }).end()),
      'redirects, which is not followed',
    ],
    [
      'an error',
      (e) => (e.answer = (response) => void response.writeHead(500).end('secret')),
      'answered 500',
    ],
    [
      'an empty success',
      (e) => (e.answer = (response) => void response.writeHead(204).end()),
      'answered 204',
    ],
    [
      'that nothing changed, although nothing has a tag',
      (e) => (e.answer = (response) => void response.writeHead(304).end()),
      'answered 304',
    ],
    ['PEM', (e) => e.serve(partner.bundlePem), 'not a trust bundle: not JSON'],
    ['a page', (e) => e.serve('<html>secret</html>'), 'not a trust bundle: not JSON'],
    [
      'bytes that are no text',
      (e) => (e.answer = (response) => void response.end(Buffer.of(0xff))),
      'not UTF-8',
    ],
    ['too much', (e) => e.serve(`{"keys":[],"a":"${'a'.repeat(1024 * 1024)}"}`), 'more than 1048576 bytes'],
    [
      'too much in parts',
      (e) =>
        (e.answer = (response) => {
          const more = () =>
            void (response.write('a'.repeat(65_536)) ? setImmediate(more) : response.once('drain', more));
          response.on('close', () => response.removeAllListeners('drain'));
          more();
        }),
      'more than 1048576 bytes',
    ],
    [
      'half of it',
      (e) =>
        (e.answer = (response) => {
          response.writeHead(200, { 'content-length': '100' });
          response.write('{');
          setTimeout(() => response.destroy(), 50);
        }),
      'broke off its answer',
    ],
  ])('is not taken when it is %s, and the last good bundle serves', async (_, misbehave, error) => {
    const { fetch, roots } = setUp();
    await fetch();
    const before = roots();
    misbehave(endpoint);
    const outcome = await fetch();
    expect(outcome).toContain(error);
    expect(outcome).not.toContain('secret');
    expect(roots()).toEqual(before);
  });

  test('is asked for by what is known already, where it has a tag', async () => {
    const { fetch, roots, store } = setUp();
    const text = spiffeBundle([partner]);
    endpoint.answer = (response, { headers }) =>
      void (headers['if-none-match'] === '"1"'
        ? response.writeHead(304).end()
        : response.writeHead(200, { etag: '"1"' }).end(text));
    await fetch();
    const before = store.status()[0]!.lastSuccess!;
    expect(await fetch()).toBeUndefined();
    expect(endpoint.requests.at(-1)!.headers['if-none-match']).toBe('"1"');
    expect(store.status()[0]!.lastSuccess).toBeGreaterThan(before);
    expect(roots()).toEqual([partner.bundlePem]);
  });

  test('is not waited for longer than ten seconds', async () => {
    endpoint.answer = (response) => {
      response.write('{');
      const more = setInterval(() => response.write(' '), 200);
      response.on('close', () => clearInterval(more));
    };
    const { fetch } = setUp();
    expect(await fetch()).toContain('gave no answer in time');
  }, 20_000);

  test('may be nothing at all, if nobody is there', async () => {
    const { fetch } = setUp({ url: `https://127.0.0.1:${await freePort()}/` });
    expect(await fetch()).toContain('cannot be reached (ECONNREFUSED)');
  });
});

describe('a bundle that was fetched', () => {
  test.each([
    [undefined, 300_000],
    [10, 30_000],
    [0, 30_000],
    [120, 120_000],
    [10 ** 15, 3_600_000],
  ])('with a refresh hint of %s s is fetched again after %d ms', async (hint, expected) => {
    endpoint.serve(spiffeBundle([partner], hint === undefined ? {} : { spiffe_refresh_hint: hint }));
    const federated = createFederatedBundle({
      trustDomain: 'partner.example',
      url: endpoint.url,
      profile: web,
      minRefresh: 30_000,
      maxRefresh: 3_600_000,
      maxStale: 0,
      readFile: async () => '',
      now: () => 0,
      hub: copyingHub,
    });
    const bundle = parseTrustBundle(
      'partner.example',
      spiffeBundle([partner], hint === undefined ? {} : { spiffe_refresh_hint: hint }),
    );
    if (isRefusal(bundle)) throw new Error(bundle.detail);
    expect(federated.source.refresh(bundle)).toBe(expected);
  });

  test('is fetched again in the background, as often as its hint says', async () => {
    endpoint.serve(spiffeBundle([partner], { spiffe_refresh_hint: 1 }));
    const { fetch, roots } = setUp();
    await fetch();
    endpoint.serve(spiffeBundle([partner, successor]));
    await comeTrue(() => expect(roots()).toHaveLength(2));
  });

  test('serves to its bound while the endpoint is away, and fails closed beyond it', async () => {
    const { fetch, roots, store, later } = setUp();
    await fetch();
    endpoint.answer = (response) => void response.writeHead(503).end();
    expect(await fetch()).toContain('answered 503');
    later(5 * 60_000 + 50_000);
    expect(roots()).toEqual([partner.bundlePem]);
    later(10_000);
    expect(store.current().find('partner.example')).toMatchObject({
      code: 'trust_bundle_unavailable',
      detail: expect.stringContaining('it is too old'),
    });
    endpoint.serve(spiffeBundle([partner]));
    expect(await fetch()).toBeUndefined();
    expect(roots()).toEqual([partner.bundlePem]);
  });
});
