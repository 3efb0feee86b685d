import fc from 'fast-check';
import type { TokenRequest, VerifiedToken } from '../../src/token/types.js';
import { FakeKeys, NOW, SECONDS, TestKey, keySet, refused, setUpWith, trust, verifierOf } from './support.js';

const key = await TestKey.create('k1');
const other = await TestKey.create('k2');
const thumbprint = 'bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2';

const setUp = () => setUpWith([key]);

/** What was parsed when the token was verified: the same object as long as the verdict is remembered. */
const claimsOf = (token: unknown) => (token as VerifiedToken).claims;

describe('a token that was verified', () => {
  test('is answered at once, the second time out of memory, and alike', async () => {
    const { verify } = await setUp();
    const token = await key.token({ scope: 'orders:read' });
    const first = verify(token);
    expect(first).toMatchObject({ subject: 'alice', scopes: ['orders:read'] });
    expect(verify(token)).toEqual(first);
    expect(claimsOf(verify(token))).toBe(claimsOf(first));
  });

  test('expires in memory, by the clock of the request', async () => {
    const { verify } = await setUp();
    const token = await key.token();
    await verify(token);
    expect(verify(token, { now: NOW + 299_999 })).toMatchObject({ subject: 'alice' });
    expect(verify(token, { now: NOW + 300_000 })).toEqual(refused('token_expired'));
  });

  test('is not valid before its time in memory either', async () => {
    const { verify } = await setUp();
    const token = await key.token({ nbf: SECONDS });
    await verify(token);
    expect(verify(token, { now: NOW - 1 })).toEqual(refused('token_not_yet_valid'));
  });

  test('is too old for a clock that gives no number', async () => {
    const { verify, clock } = await setUp();
    const token = await key.token();
    await verify(token);
    expect(verify(token, { now: Number.NaN })).toEqual(refused('token_expired'));
    clock.now = Number.NaN;
    expect(await verify(token)).toEqual(refused('token_expired'));
  });

  test('is refused while the keys are too old, and accepted when they are there again', async () => {
    const { verify, keys } = await setUp();
    const token = await key.token();
    await verify(token);
    const set = keys.set;
    keys.set = undefined;
    expect(verify(token)).toEqual(refused('token_keys_unavailable'));
    expect(await verify(token)).toEqual(refused('token_keys_unavailable'));
    expect(keys.demanded).toBe(1);
    keys.set = set;
    expect(await verify(token)).toMatchObject({ subject: 'alice' });
  });

  test('stays verified when the issuer publishes the same key again among others', async () => {
    const { verify, keys } = await setUp();
    const token = await key.token();
    await verify(token);
    keys.set = await keySet(other, key.published({ kid: 'renamed' }));
    expect(verify(token)).toMatchObject({ subject: 'alice' });
    keys.set = await keySet(other, key.published({ alg: 'ES384' }));
    expect(await verify(token)).toEqual(refused('token_algorithm_refused'));
  });

  test('is held against the certificate of each request', async () => {
    const { verify } = await setUp();
    const bound = await key.token({ cnf: { 'x5t#S256': thumbprint } });
    await verify(bound, { peerThumbprint: thumbprint });
    expect(verify(bound, { peerThumbprint: 'A'.repeat(43) })).toEqual(refused('token_binding_mismatch'));
    expect(verify(bound)).toEqual(refused('token_binding_mismatch'));
    expect(verify(bound, { peerThumbprint: thumbprint })).toMatchObject({ binding: 'x5t#S256' });
  });

  test('is remembered though the first to present it was not the one it is bound to', async () => {
    const { verify } = await setUp();
    const bound = await key.token({ cnf: { 'x5t#S256': thumbprint } });
    expect(await verify(bound)).toEqual(refused('token_binding_mismatch'));
    expect(verify(bound, { peerThumbprint: thumbprint })).toMatchObject({ binding: 'x5t#S256' });
  });

  test('is held against the audience of each route', async () => {
    const { verify } = await setUp();
    const token = await key.token({ aud: ['orders', 'invoices'] });
    expect(await verify(token, { audience: 'billing' })).toEqual(refused('token_audience_mismatch'));
    expect(verify(token, { audience: 'billing' })).toEqual(refused('token_audience_mismatch'));
    expect(verify(token, { audience: 'invoices' })).toMatchObject({ subject: 'alice' });
    expect(verify(token)).toMatchObject({ subject: 'alice' });
  });

  test("needs one of the issuer's audiences, whatever the route asks for", async () => {
    const { verify } = await setUp();
    const token = await key.token({ aud: 'invoices' });
    expect(await verify(token, { audience: 'invoices' })).toEqual(refused('token_audience_mismatch'));
  });

  test('is remembered among so many and no more', async () => {
    const { verify } = verifierOf([trust(await FakeKeys.of(key))], { cacheSize: 1 });
    const [first, second] = [await key.token(), await key.token({ jti: 'token-2' })];
    const earlier = claimsOf(verify(first));
    const later = claimsOf(verify(second));
    expect(claimsOf(verify(second))).toBe(later);
    expect(claimsOf(verify(first))).toEqual(earlier);
    expect(claimsOf(verify(first))).not.toBe(earlier);
  });
});

describe('a token that was refused', () => {
  test('is not remembered: keys that arrive later are found', async () => {
    const { verify, keys } = await setUp();
    const token = await other.token();
    expect(await verify(token)).toEqual(refused('token_key_unknown'));
    keys.set = await keySet(key, other);
    expect(await verify(token)).toMatchObject({ subject: 'alice' });
  });

  test('for want of any keys is so until there are some', async () => {
    const keys = new FakeKeys(undefined);
    const { verify } = verifierOf([trust(keys)]);
    expect(await verify(await key.token())).toEqual(refused('token_keys_unavailable'));
    keys.onDemand = async () => void (keys.set = await keySet(key));
    expect(await verify(await key.token())).toMatchObject({ subject: 'alice' });
  });
});

describe('a token that many requests bring at once', () => {
  test('is verified once for all of them, each with its own certificate', async () => {
    const keys = new FakeKeys(undefined);
    keys.onDemand = async () => void (keys.set = await keySet(key));
    const { verify } = verifierOf([trust(keys)]);
    const bound = await key.token({ cnf: { 'x5t#S256': thumbprint } });
    const answers = [verify(bound, { peerThumbprint: thumbprint }), verify(bound)];
    expect(await Promise.all(answers)).toEqual([
      expect.objectContaining({ binding: 'x5t#S256' }),
      refused('token_binding_mismatch'),
    ]);
    expect(keys.demanded).toBe(1);
  });

  test('is judged by the time at which its keys have come', async () => {
    const keys = new FakeKeys(undefined);
    const { verify, clock } = verifierOf([trust(keys)]);
    keys.onDemand = async () => {
      keys.set = await keySet(key);
      clock.now = NOW + 300_000;
    };
    expect(await verify(await key.token())).toEqual(refused('token_expired'));
  });
});

describe('in whatever order tokens, times, keys and peers come', () => {
  test('the answer is the one that a verifier without memory gives', async () => {
    const tokens = [
      await key.token(),
      await key.token({ exp: SECONDS + 20, nbf: SECONDS + 10 }),
      await key.token({ cnf: { 'x5t#S256': thumbprint }, aud: ['orders', 'billing'] }),
      await other.token({ exp: SECONDS + 10 }),
      await other.token({}, { kid: 'k1' }),
    ];
    const sets = [await keySet(key), await keySet(key, other), await keySet(other), undefined];
    const step = fc.record({
      token: fc.constantFrom(...tokens),
      set: fc.constantFrom(...sets),
      now: fc.constantFrom(...[0, 9_999, 10_000, 20_000, 299_999, 300_000].map((ms) => NOW + ms)),
      request: fc.constantFrom<Partial<TokenRequest>>(
        {},
        { peerThumbprint: thumbprint },
        { audience: 'billing' },
      ),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
        const keys = new FakeKeys(undefined);
        const { verify, clock } = verifierOf([trust(keys)], { cacheSize: 3 });
        for (const { token, set, now, request } of steps) {
          keys.set = set;
          clock.now = now;
          const fresh = verifierOf([trust(new FakeKeys(set))]);
          fresh.clock.now = now;
          const [answer, expected] = [await verify(token, request), await fresh.verify(token, request)];
          if ('refused' in expected) expect(answer).toEqual(refused(expected.code));
          else expect(answer).toEqual(expected);
        }
      }),
      { numRuns: 100 },
    );
  });
});
