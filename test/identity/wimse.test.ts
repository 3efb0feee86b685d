import { isRefusal } from '../../src/errors/refusal.js';
import { parseTrustBundle, TrustBundles } from '../../src/identity/trust-bundle.js';
import { createIdentityVerifier } from '../../src/identity/verifier.js';
import type { Claim, ReplayGuard } from '../../src/jws/replay.js';
import { createReplayMemory } from '../../src/jws/replay.js';
import { NOW, peer, TestCa, WORKLOAD } from '../support/ca.js';
import { digest, JwtKey, SECONDS, withHeaders } from '../support/jwt-authority.js';

const authority = await JwtKey.create();
const own = await JwtKey.create('ES256', 'own');
const parsed = parseTrustBundle('example.org', JSON.stringify({ keys: [authority.entry()] }));
if (isRefusal(parsed)) throw new Error(parsed.detail);
const bundles = new TrustBundles([parsed], 1);

const setUp = (replay: ReplayGuard = createReplayMemory({ capacity: 1000, now: () => NOW - 600_000 })) =>
  createIdentityVerifier({
    source: 'wimse',
    wimse: { audiences: ['https://orders.example.org', 'urn:mesh'], maxLifetime: 300_000, replay },
    bundles: { current: () => bundles },
  });

type Claims = { readonly [name: string]: unknown };
const jwk = { ...own.publicJwk, alg: 'ES256' };
const identityClaims = { sub: WORKLOAD, exp: SECONDS + 3600, cnf: { jwk } };
const wit = (claims: Claims = {}, header: Claims = {}) =>
  authority.sign({ ...identityClaims, ...claims }, { typ: 'wit+jwt', ...header });

let jti = 0;
async function wpt(token: string, claims: Claims = {}, header: Claims = {}, key = own): Promise<string> {
  const proof = {
    aud: 'https://orders.example.org/orders',
    exp: SECONDS + 60,
    jti: `j${++jti}`,
    wth: digest(token),
  };
  return key.sign({ ...proof, ...claims }, { typ: 'wpt+jwt', kid: undefined, ...header });
}

const headersOf = (token: string, proof: string, others: Record<string, string | string[]> = {}) =>
  withHeaders({ 'workload-identity-token': token, 'workload-proof-token': proof, ...others });
const refused = (code: string) => expect.objectContaining({ refused: true, code });
const token = await wit();
const ask = async (proof: string, others: Record<string, string | string[]> = {}) =>
  setUp().verify(headersOf(token, proof, others), NOW);

describe('a Workload-Identity-Token', () => {
  const show = async (shown: string, now = NOW) => setUp().verify(headersOf(shown, await wpt(shown)), now);

  test('with its proof makes its workload known', async () => {
    expect(await show(token)).toEqual({
      spiffeId: WORKLOAD,
      trustDomain: 'example.org',
      path: '/ns/shop/sa/frontend',
      kubernetes: { namespace: 'shop', serviceAccount: 'frontend' },
      source: 'wimse',
      notAfter: NOW + 3_600_000,
    });
  });

  test('is nothing without its proof, and the proof nothing without it', async () => {
    const verifier = setUp();
    expect(verifier.verify(withHeaders({ 'workload-identity-token': token }), NOW)).toEqual(
      refused('wpt_missing'),
    );
    expect(verifier.verify(withHeaders({ 'workload-proof-token': await wpt(token) }), NOW)).toEqual(
      refused('wit_missing'),
    );
    expect(verifier.verify(peer(await (await TestCa.create()).issue()), NOW)).toEqual(refused('wit_missing'));
  });

  test('trap 83: in Authorization is none', async () => {
    const headers = { authorization: `Bearer ${token}`, 'workload-proof-token': await wpt(token) };
    expect(setUp().verify(withHeaders(headers), NOW)).toEqual(refused('wit_missing'));
  });

  test.each(['JWT', undefined, 'at+jwt', 'wpt+jwt'])('of typ %j is another token', async (typ) => {
    expect(await show(await wit({}, { typ }))).toEqual(refused('wit_invalid'));
  });

  test.each([
    ['sub', undefined],
    ['exp', undefined],
    ['exp', '1'],
    ['nbf', '1'],
    ['cnf', undefined],
    ['cnf', {}],
    ['cnf', { jwk: null }],
    ['cnf', { jkt: 'x' }],
    ['cnf', { jwk: own.publicJwk }],
    ['cnf', { jwk: { ...own.privateJwk, alg: 'ES256' } }],
    ['cnf', { jwk: { ...own.publicJwk, alg: 'none' } }],
    ['cnf', { jwk: { ...own.publicJwk, alg: 'ES384' } }],
    ['cnf', { jwk: { kty: 'oct', k: 'AAAA', alg: 'HS256' } }],
  ])('with %s %j is refused', async (name, value) => {
    expect(await show(await wit({ [name]: value }))).toEqual(refused('wit_invalid'));
  });

  test('is refused of another signer, of another domain, for what is no workload, and in its last second', async () => {
    const forger = await JwtKey.create('ES256', 'k1');
    expect(await show(await forger.sign(identityClaims, { typ: 'wit+jwt' }))).toEqual(
      refused('wit_untrusted'),
    );
    expect(await show(await wit({ sub: 'spiffe://other.example/a' }))).toEqual(
      refused('trust_domain_unknown'),
    );
    expect(await show(await wit({ sub: 'wimse://example.org/a' }))).toEqual(refused('spiffe_id_invalid'));
    expect(await show(await wit({ exp: SECONDS }))).toEqual(refused('wit_expired'));
    expect(await show(await wit({ nbf: SECONDS + 1 }))).toEqual(refused('wit_expired'));
  });

  test('comes once', async () => {
    const proof = await wpt(token);
    for (const lines of [[token, token], `${token},${token}`])
      expect(
        setUp().verify(withHeaders({ 'workload-identity-token': lines, 'workload-proof-token': proof }), NOW),
      ).toEqual(refused('wit_invalid'));
  });
});

describe('a Workload-Proof-Token', () => {
  test.each([
    ['the URI of the request', { aud: 'https://orders.example.org/orders' }],
    ['a value that was configured', { aud: 'urn:mesh' }],
    ['one of several', { aud: ['x', 'urn:mesh'] }],
    ['the origin, where that was configured', { aud: 'https://orders.example.org' }],
  ])('is for %s', async (_, claims) => {
    expect(await ask(await wpt(token, claims))).toMatchObject({ spiffeId: WORKLOAD });
  });

  test.each([
    { aud: undefined },
    { aud: 'https://orders.example.org/orders?x=1' },
    { aud: 'https://orders.example.org/other' },
    { aud: 'https://evil.example/orders' },
    { aud: 'urn:mesh/orders2' },
    { exp: undefined },
    { exp: SECONDS },
    { exp: SECONDS + 301 },
    { exp: '9999999999' },
    { iat: 'x' },
    { jti: undefined },
    { jti: '' },
    { jti: 7 },
    { jti: 'x'.repeat(257) },
    { wth: undefined },
    { wth: digest('another') },
    { ath: digest('nothing that came') },
    { tth: digest('nothing that came') },
    { oth: { 'x-other': digest('nothing that came') } },
    { oth: 'x' },
  ])('with %j is refused', async (claims) => {
    expect(await ask(await wpt(token, claims))).toEqual(refused('wpt_invalid'));
  });

  test('has to be signed with the key in the token, by its algorithm and as its own type', async () => {
    const other = await JwtKey.create('ES256', 'own');
    expect(await ask(await wpt(token, {}, {}, other))).toEqual(refused('wpt_invalid'));
    expect(await ask(await wpt(token, {}, {}, authority))).toEqual(refused('wpt_invalid'));
    for (const typ of ['JWT', undefined, 'wit+jwt', 'dpop+jwt'])
      expect(await ask(await wpt(token, {}, { typ }))).toEqual(refused('wpt_invalid'));
    expect(await ask(await wpt(token, {}, { typ: 'application/WPT+jwt' }))).toMatchObject({
      spiffeId: WORKLOAD,
    });
    expect(await ask('x')).toEqual(refused('wpt_invalid'));
  });

  test('trap 85: without ath beside an access token is refused', async () => {
    for (const authorization of ['Bearer abc', 'bearer abc', 'DPoP abc']) {
      expect(await ask(await wpt(token), { authorization })).toEqual(refused('wpt_invalid'));
      expect(await ask(await wpt(token, { ath: digest('abd') }), { authorization })).toEqual(
        refused('wpt_invalid'),
      );
      expect(await ask(await wpt(token, { ath: digest('abc') }), { authorization })).toMatchObject({
        spiffeId: WORKLOAD,
      });
    }
    const twice = { authorization: ['Bearer abc', 'Bearer abd'] };
    expect(await ask(await wpt(token, { ath: digest('abc') }), twice)).toEqual(refused('wpt_invalid'));
    expect(await ask(await wpt(token), { authorization: 'Basic abc' })).toMatchObject({ spiffeId: WORKLOAD });
  });

  test('without tth beside a Txn-Token is refused', async () => {
    const txn = { 'txn-token': 'abc' };
    expect(await ask(await wpt(token), txn)).toEqual(refused('wpt_invalid'));
    expect(await ask(await wpt(token, { tth: digest('abc') }), txn)).toMatchObject({ spiffeId: WORKLOAD });
    expect(await ask(await wpt(token, { tth: digest('abc') }), { 'txn-token': ['abc', 'x'] })).toEqual(
      refused('wpt_invalid'),
    );
  });

  test('binds the other headers that it names', async () => {
    const proof = () => wpt(token, { oth: { 'x-other': digest('abc') } });
    expect(await ask(await proof(), { 'x-other': ' abc ' })).toMatchObject({ spiffeId: WORKLOAD });
    expect(await ask(await proof(), { 'x-other': 'abd' })).toEqual(refused('wpt_invalid'));
    expect(await ask(await proof(), { 'x-other': ['abc', 'abc'] })).toEqual(refused('wpt_invalid'));
  });

  test('counts once', async () => {
    const verifier = setUp();
    const evidence = headersOf(token, await wpt(token, { jti: 'once' }));
    expect(verifier.verify(evidence, NOW)).toMatchObject({ spiffeId: WORKLOAD });
    expect(verifier.verify(evidence, NOW)).toEqual(refused('wpt_replayed'));
    // The same jti is another proof in another workload's hands.
    const others = await JwtKey.create('ES256', 'own');
    const theirs = await wit({ cnf: { jwk: { ...others.publicJwk, alg: 'ES256' } } });
    const proof = await wpt(theirs, { jti: 'once' }, {}, others);
    expect(verifier.verify(headersOf(theirs, proof), NOW)).toMatchObject({ spiffeId: WORKLOAD });
  });

  test('that the memory cannot know is refused, and so is one that nobody remembers', async () => {
    const answer = (claim: Claim) => setUp({ claim: () => claim });
    const evidence = async () => headersOf(token, await wpt(token));
    expect(answer('unknown').verify(await evidence(), NOW)).toEqual(refused('wpt_replayed'));
    expect(answer('unavailable').verify(await evidence(), NOW)).toEqual(refused('wpt_replay_unavailable'));
    const began = createReplayMemory({ capacity: 10, now: () => NOW });
    expect(setUp(began).verify(await evidence(), NOW)).toEqual(refused('wpt_replayed'));
    const dated = headersOf(token, await wpt(token, { iat: SECONDS }));
    expect(setUp(began).verify(dated, NOW)).toMatchObject({ spiffeId: WORKLOAD });
  });

  test('is asked for where another process remembers, which takes a promise', async () => {
    const verifier = setUp({ claim: async () => 'fresh' as const });
    const outcome = verifier.verify(headersOf(token, await wpt(token)), NOW);
    expect(outcome).toBeInstanceOf(Promise);
    expect(await outcome).toMatchObject({ spiffeId: WORKLOAD });
  });

  test('is remembered only once it is good', async () => {
    const asked: string[] = [];
    const verifier = setUp({
      claim: ({ id }) => {
        asked.push(id);
        return 'fresh';
      },
    });
    verifier.verify(headersOf(token, await wpt(token, { wth: 'x' })), NOW);
    verifier.verify(headersOf(token, await wpt(token, { ath: 'x' })), NOW);
    expect(asked).toEqual([]);
    verifier.verify(headersOf(token, await wpt(token)), NOW);
    expect(asked).toEqual([expect.stringMatching(/^[\w-]{43}$/)]);
  });
});
