import { createReplayMemory } from '../../src/jws/replay.js';
import { createDpopVerifier } from '../../src/token/dpop.js';
import { createNonces } from '../../src/token/nonces.js';
import type { TokenRequest } from '../../src/token/types.js';
import type { TokenVerifierOptions, TrustedIssuer } from '../../src/token/verifier.js';
import { DpopKey } from '../support/dpop.js';
import { FakeKeys, NOW, refused, SECONDS, setUpWith, TestKey, trust, verifierOf } from './support.js';

const key = await TestKey.create('k1');
const thumbprint = 'bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2';
const bound = await key.token({ cnf: { 'x5t#S256': thumbprint } });

const setUp = () => setUpWith([key]);

const HTU = 'https://orders.example.org/7';
const http = { method: 'GET', scheme: 'https', host: 'orders.example.org', rawPath: '/7' };

/** A verifier that checks proofs, and a short way to send one with a token. */
async function setUpDpop(options: Partial<TokenVerifierOptions> = {}, rules?: Partial<TrustedIssuer>) {
  const dpop = createDpopVerifier({
    algorithms: ['ES256'],
    maxAge: 60_000,
    clockSkew: 0,
    nonceRequired: false,
    nonces: createNonces({ secrets: () => [], lifetime: 1 }),
    origins: new Map(),
    guard: createReplayMemory({ capacity: 100, now: () => NOW }),
  });
  const { verify } = verifierOf([trust(await FakeKeys.of(key), rules)], { dpop, ...options });
  const prove = async (token: string, by: DpopKey, request: Partial<TokenRequest> = {}) => {
    const proof = await by.proof({ htu: HTU, token, iat: SECONDS });
    return verify(token, {
      authorization: [`DPoP ${token}`],
      header: (name) => (name === 'dpop' ? [proof] : []),
      http,
      ...request,
    });
  };
  return { verify, prove };
}

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
    const { verify: proving } = await setUpDpop();
    for (const cnf of [{ jkt: thumbprint }, { jkt: thumbprint, 'x5t#S256': thumbprint }])
      expect(await proving(await key.token({ cnf }), { peerThumbprint: thumbprint })).toEqual(
        refused('dpop_proof_missing'),
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

describe('a token that is bound to a key', () => {
  test('passes with a proof of that key, each time with a new one', async () => {
    const own = await DpopKey.create();
    const { prove } = await setUpDpop();
    const token = await key.token({ cnf: { jkt: own.thumbprint } });
    const first = await prove(token, own);
    expect(first).toMatchObject({ binding: 'dpop', bindings: ['dpop'] });
    expect(await prove(token, own)).toBe(first);
  });

  test('is answered without a promise once it was seen, proof and all', async () => {
    const own = await DpopKey.create();
    const { verify } = await setUpDpop();
    const token = await key.token({ cnf: { jkt: own.thumbprint } });
    const proofs = await Promise.all([1, 2].map(() => own.proof({ htu: HTU, token, iat: SECONDS })));
    const ask = (proof: string) =>
      verify(token, { authorization: [`dpop ${token}`], header: () => [proof], http });
    await ask(proofs[0]!);
    expect(ask(proofs[1]!)).toMatchObject({ binding: 'dpop' });
  });

  test('and to a certificate passes where both hold, and with neither alone', async () => {
    const own = await DpopKey.create();
    const { prove, verify } = await setUpDpop();
    const token = await key.token({ cnf: { jkt: own.thumbprint, 'x5t#S256': thumbprint } });
    expect(await prove(token, own, { peerThumbprint: thumbprint })).toMatchObject({
      binding: 'x5t#S256',
      bindings: ['x5t#S256', 'dpop'],
    });
    expect(await prove(token, own)).toMatchObject({
      code: 'token_binding_mismatch',
      misuse: { boundBy: 'x5t#S256', boundTo: thumbprint },
    });
    expect(await verify(token, { peerThumbprint: thumbprint })).toEqual(refused('dpop_proof_missing'));
  });

  test('is told with whose it is when a proof of another key comes along, and never with the token', async () => {
    const [own, thief] = [await DpopKey.create(), await DpopKey.create()];
    const { prove } = await setUpDpop();
    const token = await key.token({ cnf: { jkt: own.thumbprint } });
    const refusal = await prove(token, thief);
    expect(refusal).toMatchObject({
      code: 'token_binding_mismatch',
      misuse: { token: { subject: 'alice', clientId: 'frontend' }, boundBy: 'dpop', boundTo: own.thumbprint },
    });
    expect(JSON.stringify(refusal)).not.toContain(token.split('.')[2]);
  });

  test('is no stolen one when all that is amiss is a nonce', async () => {
    const own = await DpopKey.create();
    const { prove } = await setUpDpop();
    const token = await key.token({ cnf: { jkt: own.thumbprint } });
    const before = await own.proof({ htu: HTU, token, iat: SECONDS - 10 });
    const refusal = await prove(token, own, { header: () => [before] });
    expect(refusal).toEqual(refused('dpop_nonce_required'));
    expect(refusal).not.toHaveProperty('misuse');
  });
});

describe('a token that is bound to nothing', () => {
  test('is refused as DPoP, with whatever proof', async () => {
    const { prove } = await setUpDpop();
    const refusal = await prove(await key.token(), await DpopKey.create());
    expect(refusal).toEqual(refused('token_binding_required'));
    expect(refusal).not.toHaveProperty('misuse');
  });

  test.each(['required', 'x5t#S256', 'dpop', 'spiffe'] as const)(
    'is refused where %s is asked',
    async (binding) => {
      const plain = await key.token();
      const { verify: server } = await setUpDpop({ binding });
      const { verify: issuer } = await setUpDpop({}, { binding });
      const { verify: route } = await setUpDpop();
      for (const verify of [server, issuer])
        expect(await verify(plain)).toEqual(refused('token_binding_required'));
      expect(await route(plain, { binding })).toEqual(refused('token_binding_required'));
    },
  );

  test('passes where the route asks for nothing, whatever issuer and server do', async () => {
    const { verify } = await setUpDpop({ binding: 'required' }, { binding: 'dpop' });
    expect(await verify(await key.token(), { binding: 'optional' })).toMatchObject({ binding: 'none' });
  });

  test('an issuer asks over the server', async () => {
    const { verify } = await setUpDpop({ binding: 'required' }, { binding: 'optional' });
    expect(await verify(await key.token())).toMatchObject({ binding: 'none' });
  });
});

describe('a binding of another kind than asked', () => {
  test('is refused', async () => {
    const { verify } = await setUpDpop({ binding: 'dpop' });
    expect(await verify(bound, { peerThumbprint: thumbprint })).toEqual(refused('token_binding_required'));
    const { verify: any } = await setUpDpop({ binding: 'required' });
    expect(await any(bound, { peerThumbprint: thumbprint })).toMatchObject({ binding: 'x5t#S256' });
  });
});
