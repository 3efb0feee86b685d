import type { Algorithm } from '../../src/jws/algorithms.js';
import type { TrustedIssuer } from '../../src/token/verifier.js';
import {
  CLAIMS,
  FakeKeys,
  ISSUER,
  SECONDS,
  TestKey,
  encode,
  keySet,
  refused,
  setUpWith,
  symmetric,
  trust,
  verifierOf,
} from './support.js';

const key = await TestKey.create('k1');
const rsa = await TestKey.create('r1', 'RS256');
const attacker = await TestKey.create('evil');

const setUp = (rules?: Partial<TrustedIssuer>) => setUpWith([key, rsa], rules);

describe('an access token', () => {
  test('gives its claims once everything about it is right', async () => {
    const { verify } = await setUp();
    const more = { scope: 'orders:read orders:write', nbf: SECONDS, aud: ['x', 'orders'] };
    expect(await verify(await key.token(more))).toEqual({
      bindings: [],
      actors: [],
      issuer: ISSUER,
      subject: 'alice',
      clientId: 'frontend',
      audience: ['x', 'orders'],
      scopes: ['orders:read', 'orders:write'],
      roles: [],
      groups: [],
      claims: { ...CLAIMS, ...more },
      issuedAt: SECONDS,
      expiresAt: SECONDS + 300,
      binding: 'none',
    });
    expect(await verify(await rsa.token())).toMatchObject({ subject: 'alice', scopes: [] });
  });

  test.each(['at+jwt', 'AT+JWT', 'application/at+jwt'])('may have the type %s', async (typ) => {
    const { verify } = await setUp();
    expect(await verify(await key.token({}, { typ }))).toMatchObject({ subject: 'alice' });
  });

  test('may do with less where the issuer does not follow RFC 9068', async () => {
    const { verify } = await setUp({ profile: 'jwt' });
    for (const typ of [undefined, 'JWT', 'jwt', 'application/jwt', 'at+jwt']) {
      const token = await key.token({ client_id: undefined, jti: undefined }, { typ });
      expect(await verify(token)).toMatchObject({ subject: 'alice' });
    }
  });

  test('needs no kid where one key alone suits its algorithm', async () => {
    const { verify, keys } = await setUp();
    const token = await key.token({}, { kid: undefined });
    expect(await verify(token)).toMatchObject({ subject: 'alice' });
    keys.set = await keySet(key, attacker);
    const { verify: verifyAmong } = verifierOf([trust(keys)]);
    expect(await verifyAmong(token)).toEqual(refused('token_key_unknown'));
  });

  test('is refused when another key signed it', async () => {
    const { verify } = await setUp();
    expect(await verify(await attacker.token({}, { kid: 'k1' }))).toEqual(refused('token_signature_invalid'));
  });

  test('is refused when a claim was changed after it was signed', async () => {
    const { verify } = await setUp();
    const [header, , signature] = (await key.token()).split('.');
    const forged = `${header}.${encode(JSON.stringify({ ...CLAIMS, sub: 'root' }))}.${signature}`;
    expect(await verify(forged)).toEqual(refused('token_signature_invalid'));
  });

  test.each([
    ['Ed25519', 'EdDSA'],
    ['EdDSA', 'Ed25519'],
    ['EdDSA', undefined],
  ] as const)('may call its algorithm %s when the key calls it %s', async (alg, ofKey) => {
    const edwards = await TestKey.create('ed', 'Ed25519');
    const keys = await FakeKeys.of(edwards.published({ alg: ofKey }));
    const { verify } = verifierOf([trust(keys, { algorithms: ['Ed25519'] })]);
    expect(await verify(await edwards.token({}, { alg }))).toMatchObject({ subject: 'alice' });
  });
});

describe('the algorithm', () => {
  test.each(['none', 'noNE', 'None', 'NONE'])('trap 48: alg %s is refused', async (alg) => {
    const { verify } = await setUp();
    const unsigned = `${encode(key.header({ alg }))}.${encode(JSON.stringify(CLAIMS))}.`;
    expect(await verify(unsigned)).toEqual(refused('token_malformed'));
    expect(await verify(`${unsigned}AAAA`)).toEqual(refused('token_algorithm_refused'));
    expect(await verify(key.raw(key.header({ alg })))).toEqual(refused('token_algorithm_refused'));
  });

  test('trap 49: HS256 with the RSA public key as its secret is refused', async () => {
    const { verify, keys } = await setUp();
    const careless = verifierOf([trust(keys, { algorithms: ['RS256', 'HS256' as Algorithm] })]);
    for (const type of ['spki', 'pkcs1'] as const)
      for (const kid of ['r1', undefined]) {
        const pem = rsa.publicKey.export({ type, format: 'pem' });
        const token = symmetric(pem, { kid });
        expect(await verify(token)).toEqual(refused('token_algorithm_refused'));
        // Not even a list that names it would help.
        const code = kid === undefined ? 'token_key_unknown' : 'token_algorithm_refused';
        expect(await careless.verify(token)).toEqual(refused(code));
      }
  });

  test('trap 49: a symmetric key in the set verifies nothing', async () => {
    const secret = Buffer.alloc(32, 7);
    const keys = await FakeKeys.of({ kty: 'oct', k: secret.toString('base64url'), kid: 'o1', alg: 'HS256' });
    const { verify } = verifierOf([trust(keys, { algorithms: ['HS256' as Algorithm] })]);
    expect(await verify(symmetric(secret, { kid: 'o1' }))).toEqual(refused('token_key_unknown'));
  });

  test("trap 50: alg that differs from the JWK's is refused", async () => {
    const keys = await FakeKeys.of(rsa.published({ alg: 'PS256' }));
    const { verify } = verifierOf([trust(keys, { algorithms: ['RS256', 'PS256'] })]);
    expect(await verify(await rsa.token())).toEqual(refused('token_algorithm_refused'));
    expect(await verify(await rsa.token({}, { alg: 'PS256' }))).toMatchObject({ subject: 'alice' });
  });

  test('trap 50: alg that is not for the type or curve of the key is refused', async () => {
    const { verify } = await setUp({ algorithms: ['ES256', 'ES384', 'RS256', 'Ed25519'] });
    for (const alg of ['ES384', 'RS256', 'Ed25519'])
      expect(await verify(key.raw(key.header({ alg })))).toEqual(refused('token_algorithm_refused'));
  });

  test('is refused when the issuer does not list it, right or not', async () => {
    const { verify } = await setUp({ algorithms: ['ES256'] });
    expect(await verify(await rsa.token())).toEqual(refused('token_algorithm_refused'));
    expect(await verify(key.raw(key.header({ alg: 'es256' })))).toEqual(refused('token_algorithm_refused'));
  });
});

describe('the key', () => {
  test("trap 51: a valid kid from another issuer's set is refused", async () => {
    const [ours, theirs] = [await FakeKeys.of(key), await FakeKeys.of(attacker)];
    const other = trust(theirs, { issuer: 'https://other.example.org' });
    const { verify } = verifierOf([trust(ours), other]);
    expect(await verify(await attacker.token({ iss: other.issuer }))).toMatchObject({ subject: 'alice' });
    expect(await verify(await attacker.token())).toEqual(refused('token_key_unknown'));
    expect([ours.demanded, theirs.demanded]).toEqual([1, 0]);
    theirs.set = await keySet(attacker.published({ kid: 'k1' }));
    const sameId = await attacker.token({}, { kid: 'k1' });
    expect(await verify(sameId)).toEqual(refused('token_signature_invalid'));
  });

  test('trap 54: a key that was withdrawn vouches for nothing, cached verdicts included', async () => {
    const { verify, keys } = await setUp();
    const token = await key.token();
    await verify(token);
    expect(verify(token)).toMatchObject({ subject: 'alice' });
    keys.set = await keySet(rsa);
    expect(await verify(token)).toEqual(refused('token_key_unknown'));
    expect(await verify(await key.token({ jti: 'another' }))).toEqual(refused('token_key_unknown'));
    keys.set = await keySet(attacker.published({ kid: 'k1' }));
    expect(await verify(token)).toEqual(refused('token_signature_invalid'));
    keys.set = await keySet(key);
    expect(await verify(token)).toMatchObject({ subject: 'alice' });
  });

  test('trap 55: an embedded jwk, jku, x5u or x5c is never looked at', async () => {
    const { verify, keys } = await setUp();
    const embedded = {
      jwk: attacker.published(),
      jku: 'https://attacker.example/keys',
      x5u: 'https://attacker.example/chain',
      x5c: ['AAAA'],
    };
    const forged = attacker.raw(attacker.header({ kid: 'k1', ...embedded }));
    expect(await verify(forged)).toEqual(refused('token_signature_invalid'));
    const withoutId = attacker.raw(attacker.header({ kid: undefined, ...embedded }));
    expect(await verify(withoutId)).toEqual(refused('token_signature_invalid'));
    expect(await verify(key.raw(key.header(embedded)))).toMatchObject({ subject: 'alice' });
    expect(keys.demanded).toBe(0);
  });

  test('is asked for when it is not there yet', async () => {
    const { verify, keys } = await setUp();
    const next = await TestKey.create('k2');
    keys.onDemand = async () => void (keys.set = await keySet(key, next));
    expect(await verify(await next.token())).toMatchObject({ subject: 'alice' });
    expect(keys.demanded).toBe(1);
  });

  test('is not asked for when its id is known, or the token is none of ours', async () => {
    const { verify, keys } = await setUp();
    await verify(await attacker.token({}, { kid: 'k1' }));
    await verify(await attacker.token({ iss: 'https://unknown.example.org' }));
    await verify(await attacker.token({}, { typ: 'JWT' }));
    await verify(attacker.raw(attacker.header({ alg: 'ES384' })));
    expect(keys.demanded).toBe(0);
  });
});
