import { TestKey, refused, setUpWith } from './support.js';

const key = await TestKey.create('k1');
const thumbprint = 'bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2';
const bound = await key.token({ cnf: { 'x5t#S256': thumbprint } });

const setUp = () => setUpWith([key]);

describe('the binding', () => {
  test('lets the certificate pass that the token is bound to', async () => {
    const { verify } = await setUp();
    expect(await verify(bound, { peerThumbprint: thumbprint })).toMatchObject({ binding: 'x5t#S256' });
    expect(await verify(await key.token(), { peerThumbprint: thumbprint })).toMatchObject({
      binding: 'none',
    });
  });

  test('trap 69: a token bound to another leaf is refused', async () => {
    const { verify } = await setUp();
    expect(await verify(bound, { peerThumbprint: 'A'.repeat(43) })).toEqual(
      refused('token_binding_mismatch'),
    );
  });

  test('trap 70: a bound token without a certificate is refused', async () => {
    const { verify } = await setUp();
    expect(await verify(bound)).toEqual(refused('token_binding_mismatch'));
  });

  test('trap 71: a padded or hex thumbprint is a mismatch', async () => {
    const { verify } = await setUp();
    const hex = Buffer.from(thumbprint, 'base64url').toString('hex');
    const base64 = thumbprint.replaceAll('_', '/').replaceAll('-', '+');
    for (const other of [`${thumbprint}=`, hex, hex.toUpperCase(), base64, thumbprint.toLowerCase(), ''])
      expect(
        await verify(await key.token({ cnf: { 'x5t#S256': other } }), { peerThumbprint: thumbprint }),
      ).toEqual(refused('token_binding_mismatch'));
  });

  test('trap 72: a jkt token sent as Bearer is refused', async () => {
    const { verify } = await setUp();
    for (const cnf of [{ jkt: thumbprint }, { jkt: thumbprint, 'x5t#S256': thumbprint }])
      expect(await verify(await key.token({ cnf }), { peerThumbprint: thumbprint })).toEqual(
        refused('token_binding_unsupported'),
      );
  });

  test('trap 78: unknown members of cnf are never silently treated as bearer', async () => {
    const { verify } = await setUp();
    for (const cnf of [{ kid: 'k1' }, { jwk: {} }, { 'X5T#S256': thumbprint }, { x5t: thumbprint }, {}])
      expect(await verify(await key.token({ cnf }), { peerThumbprint: thumbprint })).toEqual(
        refused('token_binding_unsupported'),
      );
    for (const cnf of [null, [], 'none', { 'x5t#S256': null }, { 'x5t#S256': [thumbprint] }])
      expect(await verify(await key.token({ cnf }), { peerThumbprint: thumbprint })).toEqual(
        refused('token_claims_invalid'),
      );
  });
});
