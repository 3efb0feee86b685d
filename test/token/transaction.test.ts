import { createTransactionVerifier, type TransactionIssuer } from '../../src/token/transaction.js';
import { FakeKeys, NOW, refused, SECONDS, setUpWith, TestKey } from './support.js';

const SERVICE = 'https://txn.example.org';
const CLAIMS = {
  iss: SERVICE,
  aud: 'example.org',
  client_id: undefined,
  jti: undefined,
  txn: 'txn-7',
  sub: 'alice',
  scope: 'trade view',
  req_wl: 'spiffe://example.org/ns/shop/sa/gateway',
  tctx: { amount: 5 },
  iat: SECONDS,
  exp: SECONDS + 60,
};
const HEADER = { typ: 'txntoken+jwt' };
const key = await TestKey.create('t1');
const mint = (claims: object = {}, header: { [name: string]: unknown } = {}, by = key) =>
  by.token({ ...CLAIMS, ...claims }, { ...HEADER, ...header });

async function setUp(rules: Partial<TransactionIssuer> = {}, others: readonly TransactionIssuer[] = []) {
  const keys = await FakeKeys.of(key);
  const issuer = {
    issuer: SERVICE,
    keys,
    algorithms: ['ES256'] as const,
    maxLifetime: 300_000,
    clockSkew: 0,
  };
  const clock = { now: NOW };
  const verifier = createTransactionVerifier({
    issuers: [{ ...issuer, ...rules }, ...others],
    trustDomain: 'example.org',
    maxBytes: 8192,
    now: () => clock.now,
  });
  const verify = (lines: string | readonly string[]) =>
    verifier.verify(typeof lines === 'string' ? [lines] : lines, clock.now);
  return { clock, keys, issuer, verify };
}

describe('a transaction token', () => {
  test('tells what the transaction is about', async () => {
    const { verify } = await setUp();
    expect(await verify(await mint())).toMatchObject({
      issuer: SERVICE,
      id: 'txn-7',
      subject: 'alice',
      scopes: ['trade', 'view'],
      requestingWorkload: 'spiffe://example.org/ns/shop/sa/gateway',
      context: { amount: 5 },
      issuedAt: SECONDS,
      expiresAt: SECONDS + 60,
    });
  });

  test('is answered at once, with the same object, when it was seen before', async () => {
    const { verify } = await setUp();
    const token = await mint();
    const first = await verify(token);
    expect(verify(token)).toBe(first);
  });

  test('need not come', async () => {
    expect((await setUp()).verify([])).toBeUndefined();
  });

  test('comes once or not at all', async () => {
    const { verify } = await setUp();
    const token = await mint();
    for (const lines of [[token, token], [token, ''], [`${token},${token}`], [`${token},`]])
      expect(verify(lines)).toEqual(refused('transaction_token_duplicate'));
  });

  test.each([
    ['txn missing', { txn: undefined }],
    ['txn empty', { txn: '' }],
    ['sub missing', { sub: undefined }],
    ['scope missing', { scope: undefined }],
    ['scope a list', { scope: ['trade'] }],
    ['req_wl missing', { req_wl: undefined }],
    ['iat missing', { iat: undefined }],
    ['iat in the future', { iat: SECONDS + 1 }],
    ['exp missing', { exp: undefined }],
    ['exp as text', { exp: String(SECONDS + 60) }],
    ['nbf in the future', { nbf: SECONDS + 1 }],
    ['a long life', { exp: SECONDS + 301 }],
    ['aud missing', { aud: undefined }],
    ['another aud', { aud: 'example.net' }],
    ['a second aud', { aud: ['example.org', 'example.net'] }],
    ['tctx as text', { tctx: 'x' }],
    ['rctx null', { rctx: null }],
    ['another iss', { iss: 'https://idp.example.org' }],
    ['iss a list', { iss: [SERVICE] }],
  ])('with %s is refused', async (_, claims) => {
    expect(await (await setUp()).verify(await mint(claims))).toEqual(refused('transaction_token_invalid'));
  });

  test.each([['JWT'], ['at+jwt'], ['txntoken'], [undefined]])('of typ %s is none', async (typ) => {
    const { verify } = await setUp();
    expect(await verify(await mint({}, { typ }))).toEqual(refused('transaction_token_invalid'));
  });

  test('may leave iss out where there is one service alone', async () => {
    const { verify, issuer } = await setUp();
    expect(await verify(await mint({ iss: undefined }))).toMatchObject({ issuer: SERVICE });
    const { verify: ofTwo } = await setUp({}, [{ ...issuer, issuer: 'https://other.example.org' }]);
    expect(await ofTwo(await mint({ iss: undefined }))).toEqual(refused('transaction_token_invalid'));
  });

  test('expires, also when it was seen before', async () => {
    const { verify, clock } = await setUp();
    const token = await mint();
    await verify(token);
    clock.now += 60_000;
    expect(verify(token)).toEqual(refused('transaction_token_expired'));
  });

  test('is refused with a key that is not, or no longer, that of the service', async () => {
    const { verify, keys } = await setUp();
    const stranger = await TestKey.create('t1');
    expect(await verify(await mint({}, {}, stranger))).toEqual(refused('transaction_token_invalid'));
    const token = await mint();
    await verify(token);
    keys.set = (await FakeKeys.of(stranger)).set;
    expect(await verify(token)).toEqual(refused('transaction_token_invalid'));
    keys.set = undefined;
    expect(await verify(token)).toEqual(refused('transaction_token_unavailable'));
  });

  test('of any text is refused, not thrown at', async () => {
    const { verify } = await setUp();
    for (const text of ['', '.', 'a.b.c', 'é', '\0', '{}', 'x'.repeat(8193)])
      expect(verify(text)).toEqual(refused('transaction_token_invalid'));
  });
});

describe('a token of one kind', () => {
  test('trap 84: a transaction token is no access token, whoever issued it', async () => {
    const { verify } = await setUpWith([key]);
    const token = await key.token({}, HEADER);
    expect(await verify(token)).toEqual(refused('token_type_refused'));
    const { verify: lenient } = await setUpWith([key], { profile: 'jwt' });
    expect(await lenient(token)).toEqual(refused('token_type_refused'));
  });
});
