import { isRefusal } from '../../src/errors/refusal.js';
import { parseTrustBundle, TrustBundles } from '../../src/identity/trust-bundle.js';
import { createIdentityVerifier } from '../../src/identity/verifier.js';
import { evidenceOf, NOW, peer, TestCa, WORKLOAD } from '../support/ca.js';
import { JwtKey, SECONDS, withHeaders } from '../support/jwt-authority.js';

const key = await JwtKey.create();
const partner = await JwtKey.create('ES384', 'p1');
const ca = await TestCa.create();

function bundle(trustDomain: string, text: string) {
  const parsed = parseTrustBundle(trustDomain, text);
  if (isRefusal(parsed)) throw new Error(parsed.detail);
  return parsed;
}
const setOf = (...entries: object[]) => JSON.stringify({ keys: entries });
const trusted = new TrustBundles(
  [
    bundle('example.org', setOf(key.entry())),
    bundle('partner.example', setOf(partner.entry())),
    bundle('certificates.example', ca.certificate.pem),
  ],
  1,
);

const HEADER = 'x-spiffe-jwt-svid';
function setUp(header = HEADER) {
  let current = trusted;
  const verifier = createIdentityVerifier({
    source: 'jwt_svid',
    jwtSvid: { header, audiences: ['mesh', 'spiffe://example.org/orders'] },
    bundles: { current: () => current },
  });
  return { verifier, swap: (bundles: TrustBundles) => (current = bundles) };
}

const { verifier } = setUp();
const claims = { sub: WORKLOAD, aud: ['mesh'], exp: SECONDS + 300, iat: SECONDS };
const show = (token: string, now = NOW) => verifier.verify(withHeaders({ [HEADER]: token }), now);
const refused = (code: string) => expect.objectContaining({ refused: true, code });

describe('a JWT-SVID', () => {
  test('makes its workload known, without a certificate', async () => {
    expect(show(await key.sign(claims))).toEqual({
      spiffeId: WORKLOAD,
      trustDomain: 'example.org',
      path: '/ns/shop/sa/frontend',
      kubernetes: { namespace: 'shop', serviceAccount: 'frontend' },
      source: 'jwt_svid',
      notAfter: NOW + 300_000,
    });
  });

  test.each(['ES256', 'ES384', 'ES512', 'RS256', 'PS256'])('may be signed with %s', async (alg) => {
    const own = await JwtKey.create(alg);
    const { verifier, swap } = setUp();
    swap(new TrustBundles([bundle('example.org', setOf(own.entry()))], 2));
    expect(verifier.verify(withHeaders({ [HEADER]: await own.sign(claims) }), NOW)).toMatchObject({
      spiffeId: WORKLOAD,
    });
  });

  test('trap 82: with EdDSA is refused, though its key stands in the bundle', async () => {
    const own = await JwtKey.create('EdDSA');
    const { verifier, swap } = setUp();
    swap(new TrustBundles([bundle('example.org', setOf(own.entry()))], 2));
    const token = await own.sign(claims);
    expect(verifier.verify(withHeaders({ [HEADER]: token }), NOW)).toEqual(refused('jwt_svid_invalid'));
  });

  test.each([
    ['aud', undefined],
    ['aud', []],
    ['aud', [1]],
    ['aud', 'other'],
    ['aud', 'MESH'],
    ['exp', undefined],
    ['exp', '1'],
    ['exp', null],
    ['nbf', 'now'],
    ['sub', undefined],
    ['sub', 1],
  ])('trap 82: with %s %j is refused', async (name, value) => {
    const outcome = show(await key.sign({ ...claims, [name]: value }));
    expect(outcome).toMatchObject({ refused: true });
    expect((outcome as { code: string }).code).toMatch(/^jwt_svid_(invalid|audience_mismatch)$/);
  });

  test.each(['at+jwt', 'wit+jwt', 'dpop+jwt', 'jwt', 'application/jwt', ''])(
    'of typ %j is another token',
    async (typ) => {
      expect(show(await key.sign(claims, { typ }))).toEqual(refused('jwt_svid_invalid'));
    },
  );

  test.each(['JWT', 'JOSE'])('may have typ %s', async (typ) => {
    expect(show(await key.sign(claims, { typ }))).toMatchObject({ spiffeId: WORKLOAD });
  });

  test.each(['spiffe://example.org', 'spiffe://Example.org/a', 'alice', 'https://example.org/a', ''])(
    'for sub %j is refused',
    async (sub) => expect(show(await key.sign({ ...claims, sub }))).toEqual(refused('spiffe_id_invalid')),
  );

  test('of one domain is refused by the key of another, even under its kid', async () => {
    expect(show(await partner.sign(claims))).toEqual(refused('jwt_svid_untrusted'));
    const forger = await JwtKey.create('ES256', 'k1');
    expect(show(await forger.sign(claims))).toEqual(refused('jwt_svid_untrusted'));
    expect(show(await key.sign({ ...claims, sub: 'spiffe://partner.example/a' }))).toEqual(
      refused('jwt_svid_untrusted'),
    );
    expect(show(await partner.sign({ ...claims, sub: 'spiffe://partner.example/a' }))).toMatchObject({
      trustDomain: 'partner.example',
    });
    expect(show(await key.sign({ ...claims, sub: 'spiffe://unknown.example/a' }))).toEqual(
      refused('trust_domain_unknown'),
    );
  });

  test('of a domain that has X.509 authorities alone is refused', async () => {
    expect(show(await key.sign({ ...claims, sub: 'spiffe://certificates.example/a' }))).toEqual(
      refused('trust_bundle_unavailable'),
    );
  });

  test('is refused at exp, warm or not, and before nbf', async () => {
    const token = await key.sign(claims);
    expect(show(token, NOW + 299_999)).toMatchObject({ spiffeId: WORKLOAD });
    expect(show(token, NOW + 300_000)).toEqual(refused('jwt_svid_expired'));
    const early = await key.sign({ ...claims, nbf: SECONDS + 1 });
    expect(show(early)).toEqual(refused('jwt_svid_expired'));
    expect(show(early, NOW + 1000)).toMatchObject({ spiffeId: WORKLOAD });
    expect(show(early)).toEqual(refused('jwt_svid_expired'));
  });

  test('is verified once, and again after a swap of bundles', async () => {
    const { verifier, swap } = setUp();
    const evidence = withHeaders({ [HEADER]: await key.sign(claims) });
    const first = verifier.verify(evidence, NOW);
    expect(verifier.verify(evidence, NOW)).toBe(first);
    swap(new TrustBundles([bundle('example.org', setOf(partner.entry()))], 2));
    expect(verifier.verify(evidence, NOW)).toEqual(refused('jwt_svid_untrusted'));
  });

  test('comes once, whole and of a bounded size', async () => {
    const token = await key.sign(claims);
    expect(verifier.verify(withHeaders({}), NOW)).toEqual(refused('jwt_svid_missing'));
    for (const lines of [
      [token, token],
      `${token},${token}`,
      ` ${token}`,
      `Bearer ${token}`,
      `${token}.`,
      '',
    ])
      expect(verifier.verify(withHeaders({ [HEADER]: lines }), NOW)).toEqual(refused('jwt_svid_invalid'));
    const long = await key.sign({ ...claims, filler: 'x'.repeat(8000) });
    expect(show(long)).toEqual(refused('jwt_svid_invalid'));
  });

  test('is looked for in its own header only, and a certificate takes its place nowhere', async () => {
    const token = await key.sign(claims);
    expect(verifier.verify(withHeaders({ authorization: `Bearer ${token}` }), NOW)).toEqual(
      refused('jwt_svid_missing'),
    );
    expect(verifier.verify(peer(await ca.issue()), NOW)).toEqual(refused('jwt_svid_missing'));
    expect(verifier.verify(evidenceOf({ principal: WORKLOAD }), NOW)).toEqual(refused('jwt_svid_missing'));
  });

  test('may be the bearer token of Authorization, where that is configured', async () => {
    const token = await key.sign(claims);
    const { verifier } = setUp('authorization');
    const show = (line: string) => verifier.verify(withHeaders({ authorization: line }), NOW);
    expect(show(`Bearer ${token}`)).toMatchObject({ spiffeId: WORKLOAD });
    expect(show(`bearer  ${token}`)).toMatchObject({ spiffeId: WORKLOAD });
    for (const line of [token, `Basic ${token}`, `DPoP ${token}`, 'Bearer', `Bearer ${token} `])
      expect(show(line)).toEqual(refused('jwt_svid_missing'));
  });

  test('never stands in a refusal', async () => {
    const outcomes = [await key.sign({ ...claims, aud: 'x' }), await partner.sign(claims)].map((token) => [
      token,
      JSON.stringify(show(token)),
    ]);
    for (const [token, text] of outcomes) expect(text).not.toContain(token!.split('.')[1]);
  });
});
