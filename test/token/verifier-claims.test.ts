import type { TrustedIssuer } from '../../src/token/verifier.js';
import {
  CLAIMS,
  FakeKeys,
  ISSUER,
  NOW,
  SECONDS,
  TestKey,
  refused,
  setUpWith,
  trust,
  verifierOf,
} from './support.js';

const key = await TestKey.create('k1');

const PROFILES = ['at+jwt', 'jwt'] as const;

const setUp = (rules?: Partial<TrustedIssuer>) => setUpWith([key], rules);

describe('the claims', () => {
  test('trap 62: an aud array without us is refused, a string that matches is accepted', async () => {
    const { verify } = await setUp();
    for (const aud of [['payments', 'x'], [], 'payments', '', 'Orders', 'orders ', ['orders,billing']])
      expect(await verify(await key.token({ aud }))).toEqual(refused('token_audience_mismatch'));
    for (const aud of ['orders', 'billing', ['orders'], ['x', 'billing']])
      expect(await verify(await key.token({ aud }))).toMatchObject({ subject: 'alice' });
    for (const aud of [['orders', 1], { orders: true }, null, 7])
      expect(await verify(await key.token({ aud }))).toEqual(refused('token_claims_invalid'));
  });

  test('trap 63: exp equal to now is refused at zero leeway', async () => {
    const { verify, clock } = await setUp();
    const token = await key.token();
    clock.now = NOW + 300_000;
    expect(await verify(token)).toEqual(refused('token_expired'));
    clock.now -= 1;
    expect(await verify(token)).toMatchObject({ expiresAt: SECONDS + 300 });
  });

  test.each([
    '"1893456300"',
    '1e400',
    '-1e400',
    '12345678901234567890',
    '[1893456300]',
    'null',
    'true',
    '{}',
  ])('trap 64: exp of %s is refused', async (exp) => {
    const { verify } = await setUp();
    const claims = JSON.stringify({ ...CLAIMS, exp: undefined }).slice(0, -1);
    expect(await verify(key.raw(key.header(), `${claims},"exp":${exp}}`))).toEqual(
      refused('token_claims_invalid'),
    );
  });

  test.each(['NaN', 'Infinity', '01893456300', '+1893456300'])(
    'trap 64: exp of %s is not even JSON',
    async (exp) => {
      const { verify } = await setUp();
      const claims = JSON.stringify({ ...CLAIMS, exp: undefined }).slice(0, -1);
      expect(await verify(key.raw(key.header(), `${claims},"exp":${exp}}`))).toEqual(
        refused('token_malformed'),
      );
    },
  );

  test('trap 65: nbf in the future is refused', async () => {
    const { verify, clock } = await setUp();
    const token = await key.token({ nbf: SECONDS + 10 });
    clock.now = NOW + 9_999;
    expect(await verify(token)).toEqual(refused('token_not_yet_valid'));
    clock.now = NOW + 10_000;
    expect(await verify(token)).toMatchObject({ subject: 'alice' });
  });

  test.each([`${ISSUER}/`, `${ISSUER} `, 'HTTPS://idp.example.org', 'https://idp.example.org:443', '', null])(
    'trap 66: iss %j is not the configured issuer',
    async (iss) => {
      const { verify } = await setUp();
      expect(await verify(await key.token({ iss }))).toEqual(refused('token_issuer_unknown'));
    },
  );

  test('trap 66: a trailing slash that was configured is asked for', async () => {
    const { verify } = await setUp({ issuer: `${ISSUER}/` });
    expect(await verify(await key.token())).toEqual(refused('token_issuer_unknown'));
    expect(await verify(await key.token({ iss: `${ISSUER}/` }))).toMatchObject({ issuer: `${ISSUER}/` });
  });

  test('trap 67: an ID token is refused by its type', async () => {
    const { verify } = await setUp();
    const idToken = { aud: 'orders', nonce: 'n', at_hash: 'h' };
    for (const typ of ['JWT', 'jwt', undefined, '', 'id_token+jwt', 'at+jwt ', 'jwt+at'])
      expect(await verify(await key.token(idToken, { typ }))).toEqual(refused('token_type_refused'));
  });

  test('trap 67: an ID token of an issuer without RFC 9068 is refused by its audience', async () => {
    const { verify } = await setUp({ profile: 'jwt' });
    expect(await verify(await key.token({ aud: 'frontend', nonce: 'n' }, { typ: 'JWT' }))).toEqual(
      refused('token_audience_mismatch'),
    );
  });

  test('trap 68: a nested act is privileged and the outer is not: the actor is the outer one', async () => {
    const { verify } = await setUp();
    const act = { sub: 'frontend', act: { sub: 'admin', roles: ['admin'] } };
    expect(await verify(await key.token({ act }))).toMatchObject({
      subject: 'alice',
      actor: { sub: 'frontend', act: { sub: 'admin', roles: ['admin'] } },
    });
    expect(await verify(await key.token())).not.toHaveProperty('actor');
    for (const malformed of ['admin', ['admin'], null, 1])
      expect(await verify(await key.token({ act: malformed }))).toEqual(refused('token_claims_invalid'));
  });

  test('trap 82: a JWT-SVID without aud or exp is refused', async () => {
    const { verify } = await setUp({ profile: 'jwt' });
    const svid = { sub: 'spiffe://example.org/frontend', client_id: undefined, jti: undefined };
    const granted = { ...svid, client_id: svid.sub };
    expect(await verify(await key.token(granted, { typ: 'JWT' }))).toMatchObject({ subject: svid.sub });
    for (const missing of [{ aud: undefined }, { exp: undefined }]) {
      expect(await verify(await key.token({ ...granted, ...missing }, { typ: 'JWT' }))).toEqual(
        refused('token_claims_invalid'),
      );
      expect(await verify(await key.token({ ...svid, ...missing }, { typ: 'JWT' }))).toEqual(
        refused('token_type_refused'),
      );
    }
    expect(await verify(await key.token(svid, { typ: 'JOSE' }))).toEqual(refused('token_type_refused'));
  });

  test('trap 82: a JWT-SVID signed with EdDSA is refused', async () => {
    const edwards = await TestKey.create('ed', 'Ed25519');
    const { verify } = verifierOf([trust(await FakeKeys.of(key, edwards), { profile: 'jwt' })]);
    for (const alg of ['EdDSA', 'Ed25519'])
      expect(
        await verify(await edwards.token({ sub: 'spiffe://example.org/a' }, { alg, typ: 'JWT' })),
      ).toEqual(refused('token_algorithm_refused'));
  });

  test.each(PROFILES)('trap 83: a WIT in Authorization is refused by the profile %s', async (profile) => {
    const { verify } = await setUp({ profile });
    for (const typ of ['wit+jwt', 'application/wit+jwt', 'wimse-id+jwt'])
      expect(await verify(await key.token({ cnf: { jwk: {} } }, { typ }))).toEqual(
        refused('token_type_refused'),
      );
  });

  test.each(PROFILES)(
    'trap 84: a Txn-Token as access token is refused by the profile %s',
    async (profile) => {
      const { verify } = await setUp({ profile });
      const claims = { txn: 't', req_wl: 'spiffe://example.org/a', scope: 'orders' };
      for (const typ of [
        'txntoken+jwt',
        'application/txntoken+jwt',
        'dpop+jwt',
        'secevent+jwt',
        'logout+jwt',
      ])
        expect(await verify(await key.token(claims, { typ }))).toEqual(refused('token_type_refused'));
    },
  );
});

describe('the presenters of an issuer', () => {
  const shop = (spiffeId: string) => spiffeId === 'spiffe://example.org/shop';

  test('may present its tokens', async () => {
    const { verify } = await setUpWith([key], { presenters: shop });
    expect(await verify(await key.token(), { presenter: 'spiffe://example.org/shop' })).toMatchObject({
      subject: 'alice',
    });
  });

  test('are asked about at each request: a token that one of them presented is refused from others', async () => {
    const { verify } = await setUpWith([key], { presenters: shop });
    const token = await key.token();
    await verify(token, { presenter: 'spiffe://example.org/shop' });
    for (const thief of [{ presenter: 'spiffe://example.org/thief' }, {}])
      expect(verify(token, thief)).toEqual(refused('token_presenter_refused'));
  });

  test('are nobody in particular where none are named', async () => {
    const { verify } = await setUpWith([key]);
    expect(await verify(await key.token())).toMatchObject({ subject: 'alice' });
  });
});
