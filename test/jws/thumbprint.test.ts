import { calculateJwkThumbprint } from 'jose';
import { thumbprint } from '../../src/jws/thumbprint.js';
import { TestKey } from '../token/support.js';

describe('the thumbprint of a key', () => {
  test.each(['RS256', 'ES256', 'ES384', 'Ed25519'])('is the one of RFC 7638, for %s', async (alg) => {
    const jwk = (await TestKey.create('k', alg)).published() as { kty: string };
    expect(thumbprint(jwk)).toBe(await calculateJwkThumbprint(jwk));
    expect(thumbprint({ ...jwk, alg: 'other', extra: 1 } as never)).toBe(thumbprint(jwk));
  });

  test.each([{ kty: 'oct', k: 'AAAA' }, { kty: 'EC', crv: 'P-256', x: 'AAAA' }, { kty: 'constructor' }, {}])(
    'does not exist of %j',
    (jwk) => {
      expect(() => thumbprint(jwk)).toThrow('not a public key that has a thumbprint');
    },
  );
});
