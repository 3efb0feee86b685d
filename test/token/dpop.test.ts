import { randomBytes } from 'node:crypto';
import { createReplayMemory, type Claim } from '../../src/jws/replay.js';
import { createDpopVerifier, type DpopOptions, type Proven } from '../../src/token/dpop.js';
import { createNonces } from '../../src/token/nonces.js';
import { DpopKey, symmetricProof, type ProofOf } from '../support/dpop.js';
import { NOW, SECONDS, encode, refused } from './support.js';

const HTU = 'https://orders.example.org/orders/7';
const TARGET = { method: 'GET', scheme: 'https', host: 'orders.example.org', rawPath: '/orders/7' };
const TOKEN = 'a.b.c';
const MAX_AGE = 60_000;
const SKEW = 5_000;

const key = await DpopKey.create();
const other = await DpopKey.create();

function setUp(options: Partial<DpopOptions> = {}) {
  const clock = { now: NOW };
  // It began long enough ago to know of every proof that is not too old.
  let began = NOW - 3_600_000;
  const guard = createReplayMemory({ capacity: 1_000, now: () => began });
  const nonces = createNonces({ secrets: () => [SECRET], lifetime: 300_000 });
  const verifier = createDpopVerifier({
    algorithms: ['ES256', 'PS256', 'RS256', 'Ed25519'],
    maxAge: MAX_AGE,
    clockSkew: SKEW,
    nonceRequired: false,
    nonces,
    origins: new Map(),
    guard,
    ...options,
  });
  began = NOW;
  const check = (proofs: string | readonly string[], proven: Partial<Proven> = {}) =>
    verifier.check({
      proofs: typeof proofs === 'string' ? [proofs] : proofs,
      target: TARGET,
      token: TOKEN,
      thumbprint: key.thumbprint,
      now: clock.now,
      ...proven,
    });
  return { clock, check, nonces };
}

const SECRET = randomBytes(32);
const proof = (of: Partial<ProofOf> = {}, by = key) =>
  by.proof({ htu: HTU, token: TOKEN, iat: SECONDS, ...of });

describe('a DPoP proof', () => {
  test.each(['ES256', 'PS256', 'RS256', 'Ed25519'] as const)('signed with %s is good', async (alg) => {
    const own = await DpopKey.create(alg);
    const { check } = setUp();
    expect(check(await proof({}, own), { thumbprint: own.thumbprint })).toBeUndefined();
    expect(check(await proof({}, own), { thumbprint: own.thumbprint })).toBeUndefined();
  });

  test('is asked for', () => {
    expect(setUp().check([])).toEqual(refused('dpop_proof_missing'));
  });

  test('trap 77: of two headers, or two in one, is refused', async () => {
    const { check } = setUp();
    const one = await proof();
    expect(check([one, await proof()])).toEqual(refused('dpop_proof_duplicate'));
    expect(check([one, one])).toEqual(refused('dpop_proof_duplicate'));
    expect(check([one, ''])).toEqual(refused('dpop_proof_duplicate'));
    expect(check(`${one},${one}`)).toEqual(refused('dpop_proof_duplicate'));
    expect(check(`${one}, `)).toEqual(refused('dpop_proof_duplicate'));
    expect(check(one)).toBeUndefined(); // none of these used it up
  });

  test('trap 76: whose jwk holds a private key is refused', async () => {
    const { check } = setUp();
    expect(check(await proof({ header: { jwk: await key.privateJwk() } }))).toEqual(
      refused('dpop_proof_invalid'),
    );
    for (const member of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'])
      expect(check(await proof({ header: { jwk: { ...key.jwk, [member]: '' } } }))).toEqual(
        refused('dpop_proof_invalid'),
      );
  });

  test("by another key than that of the token is somebody else's", async () => {
    expect(setUp().check(await proof({}, other))).toEqual(refused('token_binding_mismatch'));
  });

  test('that shows the right key, and was signed with another, is refused', async () => {
    const { check } = setUp();
    expect(check(await proof({ header: { jwk: key.jwk } }, other))).toEqual(refused('dpop_proof_invalid'));
    const [header, claims, signature] = (await proof()).split('.');
    const changed = Buffer.from(claims!, 'base64url').toString().replace('orders/7', 'orders/8');
    expect(check(`${header}.${encode(changed)}.${signature}`)).toEqual(refused('dpop_proof_invalid'));
  });

  test.each([
    ['typ JWT', { typ: 'JWT' }],
    ['no typ', { typ: undefined }],
    ['the typ of an access token', { typ: 'at+jwt' }],
    ['no jwk', { jwk: undefined }],
    ['a jwk that is text', { jwk: 'key' }],
    ['a jwk of a secret', { jwk: { kty: 'oct', k: 'c2VjcmV0' } }],
    ['a jwk of an unknown type', { jwk: { kty: 'constructor' } }],
    ['a jwk for another algorithm', { jwk: { kty: 'OKP', crv: 'Ed25519', x: 'A'.repeat(43) } }],
    ['a jwk that lacks a member', { jwk: { ...key.jwk, y: undefined } }],
    ['kid instead of jwk', { jwk: undefined, kid: 'k1' }],
  ])('with %s is refused', async (_, header) => {
    expect(setUp().check(await proof({ header }))).toEqual(refused('dpop_proof_invalid'));
  });

  test('may write its typ in full, and its case does not matter', async () => {
    const { check } = setUp();
    for (const typ of ['application/dpop+jwt', 'DPoP+JWT'])
      expect(check(await proof({ header: { typ } }))).toBeUndefined();
  });

  test('signed with a secret, with nothing, or with what is not on the list is refused', async () => {
    const { check } = setUp();
    const payload = { jti: 'j', htm: 'GET', htu: HTU, iat: SECONDS };
    const header = { typ: 'dpop+jwt', jwk: key.jwk };
    expect(check(symmetricProof('secret', { ...header, alg: 'HS256' }, payload))).toEqual(
      refused('dpop_proof_invalid'),
    );
    for (const alg of ['none', 'noNE', 'ES256K', ''])
      expect(check(key.raw(JSON.stringify({ ...header, alg }), JSON.stringify(payload)))).toEqual(
        refused('dpop_proof_invalid'),
      );
    const big = await DpopKey.create('ES384');
    expect(check(await proof({}, big), { thumbprint: big.thumbprint })).toEqual(
      refused('dpop_proof_invalid'),
    );
  });

  test.each([
    ['jti missing', { jti: undefined }],
    ['jti empty', { jti: '' }],
    ['jti a number', { jti: 7 }],
    ['htm missing', { htm: undefined }],
    ['htu missing', { htu: undefined }],
    ['htu a list', { htu: [HTU] }],
    ['iat missing', { iat: undefined }],
    ['iat as text', { iat: String(SECONDS) }],
  ])('with %s is refused', async (_, claims) => {
    expect(setUp().check(await proof({ claims }))).toEqual(refused('dpop_proof_invalid'));
  });

  test('with iat beyond all numbers is refused', () => {
    const header = JSON.stringify({ alg: 'ES256', typ: 'dpop+jwt', jwk: key.jwk });
    for (const iat of ['1e400', '-1e400', 'null', '12345678901234567890'])
      expect(setUp().check(key.raw(header, `{"jti":"j","htm":"GET","htu":"${HTU}","iat":${iat}}`))).toEqual(
        refused('dpop_proof_invalid'),
      );
  });

  test.each([
    ['another method', { htm: 'POST' }],
    ['another case of the method', { htm: 'get' }],
    ['another place', { htu: 'https://billing.example.org/orders/7' }],
    ['another path', { htu: 'https://orders.example.org/admin' }],
  ])('made for %s is refused', async (_, of) => {
    expect(setUp().check(await proof(of))).toEqual(refused('dpop_proof_mismatch'));
  });

  test('trap 73: is held against the target without the query of its htu', async () => {
    expect(setUp().check(await proof({ htu: `${HTU}?page=2#top` }))).toBeUndefined();
  });

  test('of a request that went nowhere is refused', async () => {
    expect(setUp().check(await proof(), { target: undefined })).toEqual(refused('dpop_proof_mismatch'));
  });

  test('trap 74: for another token is refused, and so is one for none', async () => {
    const { check } = setUp();
    expect(check(await proof({ token: 'd.e.f' }))).toEqual(refused('dpop_proof_mismatch'));
    expect(check(await proof({ claims: { ath: undefined } }))).toEqual(refused('dpop_proof_mismatch'));
    expect(check(await proof(), { token: 'a.b.d' })).toEqual(refused('dpop_proof_mismatch'));
  });

  test.each([
    [0, undefined],
    [-65, undefined],
    [-66, 'dpop_proof_expired'],
    [5, undefined],
    [6, 'dpop_proof_expired'],
  ])('made %d seconds from now: %s', async (seconds, code) => {
    expect(setUp().check(await proof({ iat: SECONDS + seconds }))).toEqual(
      code === undefined ? undefined : refused(code),
    );
  });

  test('that is too long is refused before it is decoded', async () => {
    expect(setUp().check(await proof({ claims: { pad: 'x'.repeat(8192) } }))).toEqual(
      refused('dpop_proof_invalid'),
    );
  });

  test('of any text is refused, not thrown at', () => {
    const { check } = setUp();
    for (const text of [
      '',
      '.',
      '..',
      'a.b.c',
      `${encode('{}')}.${encode('{}')}.AAAA`,
      '\0',
      'é'.repeat(100),
    ])
      expect(check(text)).toEqual(refused('dpop_proof_invalid'));
  });

  test('is never quoted in a refusal', async () => {
    const text = await proof({ htm: 'POST', claims: { jti: 's3cret' } });
    expect(JSON.stringify(setUp().check(text))).not.toContain(text.split('.')[2]);
  });
});

describe('a proof that was used', () => {
  test('trap 75: is refused, for as long as it would be good', async () => {
    const { check, clock } = setUp();
    const used = await proof();
    expect(check(used)).toBeUndefined();
    expect(check(used)).toEqual(refused('dpop_proof_replayed'));
    clock.now += MAX_AGE + SKEW;
    expect(check(used)).toEqual(refused('dpop_proof_replayed'));
    clock.now += 1;
    expect(check(used)).toEqual(refused('dpop_proof_expired'));
  });

  test('trap 75: so is another one with its jti', async () => {
    const { check } = setUp();
    expect(check(await proof({ claims: { jti: 'j' } }))).toBeUndefined();
    expect(check(await proof({ claims: { jti: 'j' }, iat: SECONDS - 1 }))).toEqual(
      refused('dpop_proof_replayed'),
    );
  });

  test('of another key may have the same jti', async () => {
    const { check } = setUp();
    expect(check(await proof({ claims: { jti: 'j' } }))).toBeUndefined();
    expect(
      check(await proof({ claims: { jti: 'j' } }, other), { thumbprint: other.thumbprint }),
    ).toBeUndefined();
  });

  test('is used by a request that it was good for alone', async () => {
    const { check } = setUp();
    const good = await proof();
    check(good, { token: 'd.e.f' });
    check(good, { target: { ...TARGET, method: 'POST' } });
    expect(check(good)).toBeUndefined();
  });

  test.each<[Claim, string]>([
    ['replayed', 'dpop_proof_replayed'],
    ['unknown', 'dpop_nonce_required'],
    ['unavailable', 'dpop_unavailable'],
  ])('elsewhere, or so the guard says (%s), is refused with %s', async (claim, code) => {
    const { check } = setUp({ guard: { claim: () => claim } });
    expect(check(await proof())).toEqual(refused(code));
    const slow = setUp({ guard: { claim: async () => claim } });
    expect(await slow.check(await proof())).toEqual(refused(code));
  });
});

describe('a nonce', () => {
  test('is asked for in each proof where that is configured', async () => {
    const { check, nonces, clock } = setUp({ nonceRequired: true });
    expect(check(await proof())).toEqual(refused('dpop_nonce_required'));
    expect(check(await proof({ nonce: 'made up' }))).toEqual(refused('dpop_nonce_required'));
    expect(check(await proof({ claims: { nonce: 7 } }))).toEqual(refused('dpop_nonce_required'));
    const nonce = nonces.current(clock.now);
    expect(check(await proof({ nonce }))).toBeUndefined();
    expect(check(await proof({ nonce }))).toBeUndefined();
    clock.now += 300_000;
    expect(check(await proof({ nonce, iat: clock.now / 1000 }))).toEqual(refused('dpop_nonce_required'));
  });

  test('tells that a proof was made after the server started, and only then it passes', async () => {
    const guard = createReplayMemory({ capacity: 10, now: () => NOW });
    const { check, nonces } = setUp({ guard });
    // A clock that is ahead dates a proof later than it was made.
    expect(check(await proof({ iat: SECONDS + 4 }))).toEqual(refused('dpop_nonce_required'));
    expect(check(await proof({ nonce: nonces.current(NOW) }))).toBeUndefined();
    expect(check(await proof({ nonce: setUp().nonces.current(NOW - 1) }))).toEqual(
      refused('dpop_nonce_required'),
    );
    expect(check(await proof({ iat: SECONDS + 5 }))).toBeUndefined();
  });
});
