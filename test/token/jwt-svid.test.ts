import { ISSUER, refused, setUpWith, TestKey } from './support.js';

const WORKLOAD = 'spiffe://example.org/ns/shop/sa/frontend';
const key = await TestKey.create('k1');

/** What SPIRE writes where the trust domain is an OpenID provider as well. */
const claims = { iss: ISSUER, sub: WORKLOAD, aud: ['orders'], client_id: undefined, jti: undefined };

describe('a JWT-SVID of a trust domain that issues tokens too', () => {
  test.each(['JWT', 'JOSE', undefined])('is no access token, of typ %j', async (typ) => {
    for (const profile of ['jwt', 'at+jwt'] as const) {
      const { verify } = await setUpWith([key], { profile });
      expect(await verify(await key.token(claims, { typ }))).toEqual(refused('token_type_refused'));
    }
  });

  test('is told from a token that was granted to a workload', async () => {
    const { verify } = await setUpWith([key], { profile: 'jwt' });
    for (const granted of [{ client_id: WORKLOAD }, { scope: 'orders:read' }, { azp: WORKLOAD }])
      expect(await verify(await key.token({ ...claims, ...granted }, { typ: 'JWT' }))).toMatchObject({
        subject: WORKLOAD,
      });
  });
});
