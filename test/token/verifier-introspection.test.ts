import type { Introspected } from '../../src/token/introspection.js';
import type { IntrospectionRules } from '../../src/token/introspected.js';
import type { TrustedIssuer } from '../../src/token/verifier.js';
import {
  CLAIMS,
  FakeKeys,
  ISSUER,
  NOW,
  SECONDS,
  TestKey,
  encode,
  refused,
  trust,
  verifierOf,
} from './support.js';

const key = await TestKey.create('k1');

/** An issuer that is asked; what it says is the test's. */
async function setUp(
  rules: Partial<IntrospectionRules> = {},
  issuerRules: Partial<TrustedIssuer> = {},
  others: readonly TrustedIssuer[] = [],
) {
  const asked: string[] = [];
  const issuer = { says: {} as object | undefined, at: NOW };
  const ask = async (token: string): Promise<Introspected> => {
    asked.push(token);
    if (issuer.says === undefined) return { failure: 'ECONNREFUSED' };
    const { iss: _, ...claims } = CLAIMS;
    return { at: issuer.at, body: JSON.stringify({ active: true, ...claims, ...issuer.says }) };
  };
  const introspection: IntrospectionRules = { ask, tokens: 'opaque', cache: 10_000, ...rules };
  const keys = await FakeKeys.of(key);
  return { asked, issuer, keys, ...verifierOf([trust(keys, { introspection, ...issuerRules }), ...others]) };
}

describe('a token that is no JWT', () => {
  test('is asked about, and looks to policies like any other', async () => {
    const { verify, asked } = await setUp();
    expect(await verify('2YotnFZFEjr1zCsicMWpAA')).toMatchObject({
      issuer: ISSUER,
      subject: 'alice',
      clientId: 'frontend',
      audience: ['orders'],
      binding: 'none',
    });
    expect(asked).toEqual(['2YotnFZFEjr1zCsicMWpAA']);
  });

  test('is refused where no issuer is asked', async () => {
    const { verify } = verifierOf([trust(await FakeKeys.of(key))]);
    expect(await verify('2YotnFZFEjr1zCsicMWpAA')).toEqual(refused('token_malformed'));
  });

  test('is not asked about again while the answer counts, and answers at once', async () => {
    const { verify, asked, clock, issuer } = await setUp();
    const first = await verify('opaque');
    clock.now += 9_999;
    expect(verify('opaque')).toBe(first);
    clock.now += 1;
    issuer.at = clock.now;
    issuer.says = { active: false };
    expect(await verify('opaque')).toEqual(refused('token_inactive'));
    expect(asked).toHaveLength(2);
  });

  test('counts no longer than exp says, whatever the answer counts', async () => {
    const { verify, clock, issuer } = await setUp({ cache: 3_600_000 });
    issuer.says = { exp: SECONDS + 5 };
    await verify('opaque');
    clock.now += 5_000;
    expect(verify('opaque')).toEqual(refused('token_expired'));
  });

  test('is asked about once by all that come at the same time', async () => {
    const { verify, asked } = await setUp();
    await Promise.all(Array.from({ length: 50 }, () => verify('opaque')));
    expect(asked).toHaveLength(1);
  });

  test('is refused as unavailable, not as bad, where the issuer cannot be asked', async () => {
    const { verify, issuer } = await setUp();
    issuer.says = undefined;
    expect(await verify('opaque')).toEqual({
      refused: true,
      code: 'token_introspection_unavailable',
      detail: `${ISSUER} could not be asked: ECONNREFUSED`,
    });
  });

  test('is refused where what asks is gone', async () => {
    const { verify } = await setUp({ ask: () => Promise.reject(new Error('IPC')) });
    expect(await verify('opaque')).toEqual(refused('token_introspection_unavailable'));
  });

  test('is held to route, presenters and binding at each request', async () => {
    const presenters = (spiffeId: string) => spiffeId === 'spiffe://example.org/shop';
    const { verify, issuer } = await setUp({}, { presenters });
    issuer.says = { cnf: { 'x5t#S256': 'bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2' } };
    const good = {
      presenter: 'spiffe://example.org/shop',
      peerThumbprint: 'bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2',
    };
    expect(await verify('opaque', good)).toMatchObject({ binding: 'x5t#S256' });
    expect(verify('opaque', { ...good, audience: 'other' })).toEqual(refused('token_audience_mismatch'));
    expect(verify('opaque', { ...good, presenter: 'spiffe://example.org/x' })).toEqual(
      refused('token_presenter_refused'),
    );
    expect(verify('opaque', { ...good, peerThumbprint: 'A'.repeat(43) })).toEqual(
      refused('token_binding_mismatch'),
    );
  });
});

describe('several issuers that are asked', () => {
  test('are told apart by what their tokens begin with', async () => {
    const seen: string[] = [];
    const other = (issuer: string, prefix?: string): TrustedIssuer =>
      trust(new FakeKeys(undefined), {
        issuer,
        introspection: {
          ask: async () => (seen.push(issuer), { failure: '' }),
          tokens: 'opaque',
          cache: 0,
          ...(prefix !== undefined && { prefix }),
        },
      });
    const { verify, asked } = await setUp({ prefix: 'shop_' }, {}, [
      other('https://b', 'bank_'),
      other('https://c'),
    ]);
    for (const token of ['shop_1', 'bank_1', 'shop', 'x']) await verify(token);
    expect(asked).toEqual(['shop_1']);
    expect(seen).toEqual(['https://b', 'https://c', 'https://c']);
  });

  test('and have all a prefix: a token of none of them is shown to nobody', async () => {
    const { verify, asked } = await setUp({ prefix: 'shop_' });
    expect(await verify('bank_1')).toEqual(refused('token_malformed'));
    expect(asked).toEqual([]);
  });
});

describe('a JWT', () => {
  test('is verified by its signature alone where opaque tokens are asked about', async () => {
    const { verify, asked } = await setUp();
    expect(await verify(await key.token())).toMatchObject({ subject: 'alice' });
    expect(asked).toEqual([]);
  });

  test.each([
    ['of another issuer', () => key.token({ iss: 'https://other.example.org' }), 'token_issuer_unknown'],
    ['without iss', () => key.token({ iss: undefined }), 'token_issuer_unknown'],
    [
      'with a broken signature',
      async () => `${(await key.token()).slice(0, -4)}AAAA`,
      'token_signature_invalid',
    ],
    ['that is expired', () => key.token({ exp: SECONDS }), 'token_expired'],
    ['in five parts', async () => `${encode('{"alg":"dir","enc":"A256GCM"}')}.a.b.c.d`, 'token_malformed'],
    [
      'without a signature',
      async () => `${encode('{"alg":"none"}')}.${encode(JSON.stringify(CLAIMS))}.`,
      'token_malformed',
    ],
    [
      'whose header begins with a space',
      async () => `${encode(' {"alg":"none"}')}.e30.AA`,
      'token_issuer_unknown',
    ],
  ])('%s is shown to nobody', async (_, make, code) => {
    const { verify, asked } = await setUp({ tokens: 'all' });
    expect(await verify(await make())).toEqual(refused(code));
    expect(asked).toEqual([]);
  });

  test('is also asked about where all tokens are: its signature is not enough', async () => {
    const { verify, asked, issuer } = await setUp({ tokens: 'all' });
    const token = await key.token({ scope: 'orders:read' });
    const verified = await verify(token);
    expect(verified).toMatchObject({ subject: 'alice', scopes: ['orders:read'] });
    expect(verify(token)).toBe(verified);
    expect(asked).toEqual([token]);
    issuer.says = { active: false };
    expect(await verify(await key.token({ jti: 'token-2' }))).toEqual(refused('token_inactive'));
  });

  test('counts no longer once its key is withdrawn, asked about or not', async () => {
    const { verify, keys } = await setUp({ tokens: 'all' });
    const token = await key.token();
    await verify(token);
    keys.set = (await FakeKeys.of(await TestKey.create('k2'))).set;
    expect(await verify(token)).toEqual(refused('token_key_unknown'));
  });

  test('of an issuer without keys is asked about, and nothing that it says itself counts', async () => {
    const asked: string[] = [];
    const { keys: _, ...keyless } = trust(new FakeKeys(undefined));
    const { verify } = verifierOf([
      {
        ...keyless,
        introspection: {
          ask: async (token) => (
            asked.push(token),
            { at: NOW, body: JSON.stringify({ ...CLAIMS, active: true }) }
          ),
          tokens: 'opaque',
          cache: 10_000,
        },
      },
    ]);
    const token = await key.token({ sub: 'mallory', scope: 'admin' });
    expect(await verify(token)).toMatchObject({ subject: 'alice', scopes: [] });
    expect(asked).toEqual([token]);
  });
});
