import { mintTrustDomain } from '../../src/demo/trust-domain.js';
import { createBundleStore, type BundleReading } from '../../src/identity/bundle-store.js';
import { TestKey } from '../token/support.js';

const one = await mintTrustDomain('one.example');
const successor = await mintTrustDomain('one.example');
const other = await mintTrustDomain('other.example');
const key = await TestKey.create('k1');

const SECOND = 1_000;
const REFRESH = 5 * SECOND;
const MAX_STALE = 60 * SECOND;

/** A store of two domains, whose sources say what the test lets them say. */
function setUp() {
  let now = 1_000_000;
  const said: { [trustDomain: string]: BundleReading | undefined } = {};
  const jwt: { [trustDomain: string]: BundleReading | undefined } = {};
  let further: string[] = [];
  const source = (trustDomain: string) => ({
    trustDomain,
    read: () => said[trustDomain],
    refresh: () => REFRESH,
    maxStale: MAX_STALE,
  });
  const store = createBundleStore({
    sources: [
      source('one.example'),
      { ...source('other.example'), readJwtAuthorities: () => jwt['other.example'] },
    ],
    others: () => further.map(source),
    now: () => now,
  });
  const good = (text: string): BundleReading => ({ text, lastSuccess: now });
  said['one.example'] = good(one.bundlePem);
  said['other.example'] = good(other.bundlePem);
  return {
    store,
    said,
    jwt,
    good,
    later: (milliseconds: number) => (now += milliseconds),
    further: (...names: string[]) => (further = names),
  };
}

describe('the trust bundles in force', () => {
  test('are unknown until they were obtained, and come into force together', () => {
    const { store } = setUp();
    expect(store.current().find('one.example')).toMatchObject({ code: 'trust_domain_unknown' });
    expect(store.update()).toBe(true);
    expect(store.current().get('one.example')?.authorities).toHaveLength(1);
    expect(store.current().get('other.example')?.authorities).toHaveLength(1);
    expect(store.current().find('third.example')).toMatchObject({ code: 'trust_domain_unknown' });
  });

  test('stay the same object while nothing changed, so that verdicts on them may be kept', () => {
    const { store, said, good, later } = setUp();
    store.update();
    const before = store.current();
    later(SECOND);
    said['one.example'] = good(one.bundlePem);
    said['other.example'] = { ...good(other.bundlePem), lastError: 'no answer' };
    expect(store.update()).toBe(false);
    expect(store.current()).toBe(before);
  });

  test('are a new revision when one changed, and the others are what they were', () => {
    const { store, said, good } = setUp();
    store.update();
    const before = store.current();
    said['one.example'] = good(successor.bundlePem);
    expect(store.update()).toBe(true);
    expect(store.current().revision).toBe(before.revision + 1);
    expect(store.current().get('one.example')).not.toBe(before.get('one.example'));
    expect(store.current().get('other.example')).toBe(before.get('other.example'));
    expect(before.get('one.example')?.authorities[0]!.x509.toString()).toBe(one.bundlePem);
  });

  test('are without a domain whose source never gave any, which alone fails closed', () => {
    const { store, said } = setUp();
    said['one.example'] = undefined;
    store.update();
    expect(store.current().find('one.example')).toMatchObject({
      code: 'trust_bundle_unavailable',
      detail: 'the trust bundle of one.example cannot be used: it has not been obtained yet',
    });
    expect(store.current().get('other.example')).toBeDefined();
    said['one.example'] = { lastError: 'no answer' };
    store.update();
    expect(store.current().find('one.example')).toMatchObject({
      detail: expect.stringContaining('no answer'),
    });
  });

  test('keep the last good one where the newest is none, and its age counts from when it was good', () => {
    const { store, said, good, later } = setUp();
    store.update();
    later(REFRESH + MAX_STALE);
    said['one.example'] = good('not a bundle');
    said['other.example'] = good(other.bundlePem);
    expect(store.update()).toBe(false);
    expect(store.status()).toMatchObject([{ error: expect.stringContaining('not a trust bundle') }, {}]);
    later(1);
    expect(store.current().find('one.example')).toMatchObject({ code: 'trust_bundle_unavailable' });
    said['one.example'] = good(one.bundlePem);
    store.update();
    expect(store.status()[0]).not.toHaveProperty('error');
  });

  test('are without what is withdrawn from the moment on that its source says so', () => {
    const { store, said } = setUp();
    store.update();
    said['one.example'] = { lastError: 'it is not sent any more' };
    expect(store.update()).toBe(true);
    expect(store.current().find('one.example')).toMatchObject({
      code: 'trust_bundle_unavailable',
      detail: expect.stringContaining('it is not sent any more'),
    });
    expect(store.current().get('other.example')).toBeDefined();
  });

  test('trap 40: of an empty bundle vouch for nobody', () => {
    const { store, said, good } = setUp();
    said['one.example'] = good('{"keys":[]}');
    said['other.example'] = { der: '', lastSuccess: 1_000_000 };
    store.update();
    for (const name of ['one.example', 'other.example'])
      expect(store.current().get(name)?.authorities).toEqual([]);
  });
});

describe('a trust bundle that grows old', () => {
  test('serves to the last moment of its bound, and its domain alone fails closed after it', () => {
    const { store, said, good, later } = setUp();
    store.update();
    later(REFRESH + MAX_STALE);
    said['other.example'] = good(other.bundlePem);
    store.update();
    const before = store.current();
    expect(before.get('one.example')).toBeDefined();

    later(1);
    // Nobody has to say so: the clock alone does.
    expect(store.current().find('one.example')).toMatchObject({
      code: 'trust_bundle_unavailable',
      detail: 'the trust bundle of one.example cannot be used: it is too old',
    });
    expect(store.current().get('other.example')).toBe(before.get('other.example'));
    expect(store.current().revision).toBe(before.revision + 1);
    expect(store.current()).toBe(store.current());
    expect(store.status()).toMatchObject([
      { trustDomain: 'one.example', unavailable: 'it is too old', lastSuccess: 1_000_000 },
      { trustDomain: 'other.example' },
    ]);
    expect(store.status()[1]).not.toHaveProperty('unavailable');
  });

  test('is told to be too old where no request asks for it', () => {
    const { store, later } = setUp();
    store.update();
    later(REFRESH + MAX_STALE + 1);
    expect(store.status()).toMatchObject([
      { unavailable: 'it is too old' },
      { unavailable: 'it is too old' },
    ]);
  });

  test('says why it was not refreshed, and serves again once it was', () => {
    const { store, said, good, later } = setUp();
    store.update();
    said['one.example'] = { ...good(one.bundlePem), lastError: 'no answer' };
    later(REFRESH + MAX_STALE + 1);
    expect(store.current().find('one.example')).toMatchObject({
      detail: expect.stringContaining('(no answer)'),
    });
    said['one.example'] = good(one.bundlePem);
    expect(store.update()).toBe(true);
    expect(store.current().get('one.example')).toBeDefined();
  });
});

describe('keys of JWT-SVIDs that come apart from the certificates', () => {
  const jwks = JSON.stringify({ keys: [key.published({ use: 'jwt-svid' })] });

  test('are part of the bundle, and are changed alone', () => {
    const { store, jwt, good } = setUp();
    store.update();
    const without = store.current().get('other.example')!;
    expect(without.jwtAuthorities.keys).toEqual([]);
    jwt['other.example'] = good(jwks);
    expect(store.update()).toBe(true);
    const bundle = store.current().get('other.example')!;
    expect(bundle.jwtAuthorities.keys).toMatchObject([{ keyId: 'k1' }]);
    expect(bundle.authorities).toBe(without.authorities);
    expect(store.update()).toBe(false);
  });

  test('grow old by themselves, and the certificates go on', () => {
    const { store, said, jwt, good, later } = setUp();
    jwt['other.example'] = good(jwks);
    store.update();
    later(REFRESH + MAX_STALE);
    said['other.example'] = good(other.bundlePem);
    store.update();
    expect(store.current().get('other.example')?.jwtAuthorities.keys).toHaveLength(1);
    later(1);
    expect(store.current().get('other.example')).toMatchObject({
      authorities: [expect.anything()],
      jwtAuthorities: { keys: [] },
    });
  });
});

describe('domains that the configuration does not name', () => {
  test('come and go with their source, and never in the place of one that it names', () => {
    const { store, said, good, further } = setUp();
    said['guest.example'] = good(other.bundlePem);
    further('guest.example', 'one.example');
    store.update();
    const guest = store.current().get('guest.example');
    expect(guest?.authorities).toHaveLength(1);
    expect(store.update()).toBe(false);
    expect(store.current().get('guest.example')).toBe(guest);
    expect(store.status().map(({ trustDomain }) => trustDomain)).toEqual(['one.example', 'other.example']);
    further();
    expect(store.update()).toBe(true);
    expect(store.current().find('guest.example')).toMatchObject({ code: 'trust_domain_unknown' });
  });
});
