import { createBroker, type BrokerServer } from '../../src/broker/broker.js';
import { createTokenSource, TokenRefused, type TokenQuestion } from '../../src/broker/token-source.js';
import type { ObtainedToken } from '../../src/broker/token-response.js';
import type { BrokerRequest } from '../../src/broker/types.js';
import { isRefusal } from '../../src/errors/refusal.js';
import { frontend, NOW, ordersToken } from '../decision/fakes.js';

const TERMS = { maxLifetime: 3_600_000, minRemaining: 10_000 };
const WISH = { from: 'idp', audience: 'https://billing.example.org', scopes: ['billing:read'] };

/** A server that gives another token at each request, for five minutes, and what was asked of it. */
function setUp(overrides: Partial<BrokerServer> = {}) {
  const clock = { now: NOW };
  const asked: TokenQuestion[] = [];
  let answer = async (_: TokenQuestion): Promise<ObtainedToken> => ({
    token: `token-${asked.length}`,
    obtainedAt: clock.now,
    expiresAt: clock.now + 300_000,
  });
  const source = createTokenSource({
    ask: (question) => {
      asked.push(question);
      return answer(question);
    },
    terms: TERMS,
    timeout: 200,
    concurrency: 4,
    capacity: 100,
    now: () => clock.now,
  });
  const server: BrokerServer = {
    name: 'idp',
    subject: { kind: 'access_token' },
    audiences: new Set([WISH.audience]),
    scopes: new Set(['billing:read', 'billing:write']),
    header: 'authorization',
    terms: TERMS,
    ask: source,
    ...overrides,
  };
  const broker = createBroker({ servers: [server], capacity: 100, maxBytes: 8192 });
  const obtain = (request: Partial<BrokerRequest> = {}) =>
    broker.obtain({
      wish: WISH,
      identity: frontend,
      token: ordersToken,
      authorization: ['Bearer caller'],
      header: () => [],
      now: clock.now,
      ...request,
    });
  return { obtain, asked, clock, answering: (by: typeof answer) => void (answer = by) };
}

describe('a token for an upstream', () => {
  test("is obtained for the caller's own, and then at hand without a promise", async () => {
    const { obtain, asked } = setUp();
    expect(await obtain()).toEqual({
      header: 'authorization',
      value: 'Bearer token-1',
      ...WISH,
      obtained: 'server',
      expiresAt: NOW + 300_000,
    });
    expect(asked).toMatchObject([{ audience: WISH.audience, scopes: ['billing:read'], subject: 'caller' }]);
    expect(obtain()).toMatchObject({ value: 'Bearer token-1', obtained: 'cache' });
    expect(asked).toHaveLength(1);
  });

  test.each<[string, Partial<BrokerRequest>]>([
    ['workload', { identity: { ...frontend, spiffeId: 'spiffe://example.org/other' } }],
    ['subject', { token: { ...ordersToken, subject: 'bob' } }],
    ['issuer', { token: { ...ordersToken, issuer: 'https://other.example.org' } }],
    ['token of the same subject: it may say less', { authorization: ['Bearer narrower'] }],
    ['set of scopes', { wish: { ...WISH, scopes: ['billing:read', 'billing:write'] } }],
  ])('is never given to another %s', async (_, other) => {
    const { obtain, asked } = setUp();
    await obtain();
    expect(await obtain(other)).toMatchObject({ value: 'Bearer token-2' });
    expect(asked).toHaveLength(2);
    expect(obtain()).toMatchObject({ value: 'Bearer token-1' });
  });

  test('is never given as that of another server, with the same audience and scopes', async () => {
    const ask = (token: string) => () => ({ token, obtainedAt: NOW, expiresAt: NOW + 300_000 });
    const server = { subject: { kind: 'none' }, audiences: new Set([WISH.audience]), scopes: new Set(WISH.scopes), terms: TERMS } as const; // prettier-ignore
    const broker = createBroker({
      servers: [
        { ...server, name: 'one', header: 'authorization', ask: ask('from-one') },
        { ...server, name: 'two', header: 'x-two', ask: ask('from-two') },
      ],
      capacity: 100,
      maxBytes: 8192,
    });
    const obtain = (from: string) =>
      broker.obtain({ wish: { ...WISH, from }, identity: frontend, token: ordersToken, authorization: [], header: () => [], now: NOW }); // prettier-ignore
    for (let n = 0; n < 2; n++) {
      expect(await obtain('one')).toMatchObject({ value: 'Bearer from-one', header: 'authorization' });
      expect(await obtain('two')).toMatchObject({ value: 'Bearer from-two', header: 'x-two' });
    }
  });

  test('does not depend on how scopes are listed', async () => {
    const { obtain, asked } = setUp();
    await obtain({ wish: { ...WISH, scopes: ['billing:write', 'billing:read', 'billing:write'] } });
    expect(obtain({ wish: { ...WISH, scopes: ['billing:read', 'billing:write'] } })).toMatchObject({
      obtained: 'cache',
      scopes: ['billing:read', 'billing:write'],
    });
    expect(asked).toHaveLength(1);
  });

  test('is asked for once by all that want it at the same time', async () => {
    const { obtain, asked } = setUp();
    const all = await Promise.all(Array.from({ length: 100 }, () => obtain()));
    expect(new Set(all.map((one) => !isRefusal(one) && one.value))).toEqual(new Set(['Bearer token-1']));
    expect(asked).toHaveLength(1);
  });

  test('is renewed ahead of its end, while the present one serves', async () => {
    const { obtain, asked, clock } = setUp();
    await obtain({ token: { ...ordersToken, expiresAt: NOW / 1000 + 3_000 } });
    const again = () => obtain({ token: { ...ordersToken, expiresAt: NOW / 1000 + 3_000 } });
    clock.now += 216_000;
    expect(again()).toMatchObject({ value: 'Bearer token-1' });
    expect(asked).toHaveLength(1);
    clock.now += 2_000;
    expect(again()).toMatchObject({ value: 'Bearer token-1' });
    expect(again()).toMatchObject({ value: 'Bearer token-1' });
    await new Promise((resolve) => setImmediate(resolve));
    expect(again()).toMatchObject({ value: 'Bearer token-2', obtained: 'cache' });
    expect(asked).toHaveLength(2);
  });

  test('that was exchanged does not outlive what it was exchanged for', async () => {
    const { obtain, asked, clock } = setUp();
    const token = { ...ordersToken, expiresAt: NOW / 1000 + 20 };
    await obtain({ token });
    clock.now += 19_000;
    expect(obtain({ token })).toMatchObject({ value: 'Bearer token-1' });
    clock.now += 1_000;
    expect(await obtain({ token })).toMatchObject({ obtained: 'server' });
    expect(asked).toHaveLength(1); // it is still good at its source, which asks about the caller's token no more
  });

  test('serves while its server is away, and not when it has too little life left', async () => {
    const { obtain, clock, answering } = setUp({ subject: { kind: 'none' } });
    await obtain();
    answering(() => Promise.reject(new Error('it is away')));
    clock.now += 289_000;
    expect(obtain()).toMatchObject({ value: 'Bearer token-1' });
    await new Promise((resolve) => setImmediate(resolve));
    expect(obtain()).toMatchObject({ value: 'Bearer token-1' });
    clock.now += 2_000;
    expect(await obtain()).toMatchObject({ code: 'upstream_token_unavailable', detail: 'idp: it is away' });
  });

  test('is gone once its server says no', async () => {
    const { obtain, clock, answering } = setUp();
    await obtain({ token: { ...ordersToken, expiresAt: NOW / 1000 + 3_000 } });
    answering(() => Promise.reject(new TokenRefused('invalid_grant')));
    clock.now += 218_000;
    const again = () => obtain({ token: { ...ordersToken, expiresAt: NOW / 1000 + 3_000 } });
    expect(again()).toMatchObject({ value: 'Bearer token-1' });
    await new Promise((resolve) => setImmediate(resolve));
    expect(await again()).toMatchObject({ code: 'upstream_token_refused', detail: 'idp: invalid_grant' });
  });

  test('whose life nobody knows is used once', async () => {
    const { obtain, asked, clock, answering } = setUp();
    answering(async () => ({ token: 'short', obtainedAt: clock.now }));
    expect(await obtain()).toMatchObject({ value: 'Bearer short', expiresAt: undefined });
    expect(await obtain()).toMatchObject({ value: 'Bearer short', obtained: 'server' });
    expect(asked).toHaveLength(2);
  });

  test.each([
    ['a server that there is none of', { from: 'other' }, 'broker.servers has none of that name'],
    [
      'an audience beyond those configured',
      { audience: 'https://payroll.example.org' },
      'broker.servers.idp.audiences',
    ],
    ['a scope beyond those configured', { scopes: ['billing:read', 'admin'] }, 'broker.servers.idp.scopes'],
  ])('is not asked for by a policy that wants %s', (_, wish, detail) => {
    const { obtain, asked } = setUp();
    expect(obtain({ wish: { ...WISH, ...wish } })).toMatchObject({
      code: 'upstream_token_not_allowed',
      detail: expect.stringContaining(detail),
    });
    expect(asked).toEqual([]);
  });

  test('needs what it is exchanged for', () => {
    const missing = { code: 'upstream_token_subject_missing' };
    expect(setUp().obtain({ token: undefined })).toMatchObject(missing);
    const { obtain } = setUp({ subject: { kind: 'jwt_svid', header: 'x-svid' } });
    expect(obtain()).toMatchObject(missing);
    expect(obtain({ header: () => ['a', 'b'] })).toMatchObject(missing);
  });

  test("shows the caller's JWT-SVID where that is what its server wants", async () => {
    const { obtain, asked } = setUp({ subject: { kind: 'jwt_svid', header: 'x-svid' } });
    const header = (name: string) => (name === 'x-svid' ? ['svid'] : []);
    await obtain({ header, token: undefined });
    expect(asked).toMatchObject([{ subject: 'svid' }]);
  });

  test('is not waited for where nobody is there to ask', async () => {
    const { obtain } = setUp({ ask: () => Promise.reject(new Error('gone')) });
    expect(await obtain()).toMatchObject({ code: 'upstream_token_unavailable' });
  });
});

describe('a server of tokens', () => {
  test('is left alone for a moment about what it refused, and not about anything else', async () => {
    const { obtain, asked, clock, answering } = setUp();
    answering((question) =>
      question.subject === 'caller'
        ? Promise.reject(new TokenRefused('invalid_scope'))
        : Promise.resolve({ token: 'good', obtainedAt: clock.now, expiresAt: clock.now + 300_000 }),
    );
    for (let i = 0; i < 50; i++) expect(await obtain()).toMatchObject({ code: 'upstream_token_refused' });
    expect(asked).toHaveLength(1);
    for (let i = 0; i < 20; i++) {
      clock.now += 1_000;
      await obtain();
    }
    expect(await obtain({ authorization: ['Bearer other'] })).toMatchObject({ value: 'Bearer good' });
  });

  test('is left alone for a while after it failed to answer several times', async () => {
    const { obtain, asked, clock, answering } = setUp();
    answering(() => Promise.reject(new Error('ECONNREFUSED')));
    for (let i = 0; i < 100; i++)
      expect(await obtain({ authorization: [`Bearer ${i}`] })).toMatchObject({
        code: 'upstream_token_unavailable',
      });
    expect(asked).toHaveLength(5);
    clock.now += 1_000;
    await obtain();
    expect(asked).toHaveLength(6);
  });

  test('that does not answer is given up in time', async () => {
    const { obtain, answering } = setUp();
    answering(() => new Promise(() => {}));
    // The throttle runs what it is given: whoever sends is told by the signal.
    answering(() => new Promise((_, reject) => setTimeout(() => reject(new Error('aborted')), 250)));
    expect(await obtain()).toMatchObject({ detail: 'idp: no answer in time' });
  });
});
