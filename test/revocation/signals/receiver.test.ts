import fc from 'fast-check';
import type { RevocationAnswer, RevocationQuestion } from '../../../src/revocation/authority.js';
import { createReceiver, type Push, type SignalEvent } from '../../../src/revocation/signals/receiver.js';
import type { Transmitter } from '../../../src/revocation/signals/set.js';
import type { Revocation } from '../../../src/revocation/types.js';
import { FakeKeys, TestKey } from '../../token/support.js';
import { NOW, SECONDS } from '../support.js';

const CAEP = 'https://schemas.openid.net/secevent/caep/event-type/';
const RISC = 'https://schemas.openid.net/secevent/risc/event-type/';
const SSF = 'https://schemas.openid.net/secevent/ssf/event-type/';
const IDP = 'https://idp.example.org';

let key: TestKey;
let stranger: TestKey;
beforeAll(async () => {
  key = await TestKey.create('t1');
  stranger = await TestKey.create('t1');
});

const alice = { format: 'iss_sub', iss: IDP, sub: 'alice' };
const event = (type: string, members: object = {}) => ({
  [`${CAEP}${type}`]: { event_timestamp: SECONDS - 10, ...members },
});

let jtis = 0;
/** A good token, with claims replaced. */
const set = (claims: object = {}, header: object = {}, by = key) =>
  by.token(
    {
      iss: IDP,
      aud: 'https://mesh.example.org',
      jti: `set-${++jtis}`,
      iat: SECONDS,
      exp: undefined,
      sub: undefined,
      client_id: undefined,
      sub_id: alice,
      events: event('session-revoked'),
      ...claims,
    },
    { typ: 'secevent+jwt', ...header },
  );

async function open(overrides: Partial<Transmitter> = {}, answer?: RevocationAnswer) {
  const asked: Revocation[] = [];
  const signals: SignalEvent[] = [];
  const keys = await FakeKeys.of(key);
  const receive = createReceiver({
    transmitters: [
      {
        issuer: IDP,
        audience: 'https://mesh.example.org',
        algorithms: ['ES256'],
        keys,
        issuers: [IDP],
        trustDomains: ['example.org'],
        ...overrides,
      },
    ],
    ask(question: RevocationQuestion) {
      if (question.ask === 'add' && !answer) asked.push(...question.entries);
      return answer ?? { entries: [], total: 0 };
    },
    longestLife: () => 3_600_000,
    now: () => NOW,
    onSignal: (signal) => signals.push(signal),
  });
  const push = (body: string, others: Partial<Push> = {}) =>
    receive({
      contentType: 'application/secevent+jwt',
      authorization: undefined,
      body,
      from: '192.0.2.1',
      ...others,
    });
  const entries = async (claims: object) => {
    expect(await push(await set(claims))).toEqual({ status: 202 });
    return asked.map(({ id: _, reason: __, by, source, ...entry }) => {
      expect([by, source]).toEqual([IDP, 'signal']);
      return entry;
    });
  };
  return { push, asked, signals, entries, keys };
}

const before = { issued_before: SECONDS - 9, expires: SECONDS + 3600 };

describe('an event ends', () => {
  test.each([
    ['a user’s tokens that were issued by then', alice, [{ issuer: IDP, subject: 'alice', ...before }]],
    [
      'a session, by an identifier of its own',
      { format: 'opaque', id: 's-1' },
      [
        { issuer: IDP, session: 's-1', expires: SECONDS + 3600 },
        { issuer: IDP, subject: 's-1', ...before },
      ],
    ],
    [
      'a session of a user',
      {
        format: 'complex',
        user: alice,
        session: { format: 'opaque', id: 's-1' },
        tenant: { format: 'opaque', id: 't' },
      },
      [{ issuer: IDP, subject: 'alice', session: 's-1', expires: SECONDS + 3600 }],
    ],
    [
      'a user’s tokens, where only a device narrows it',
      { format: 'complex', user: alice, device: { format: 'opaque', id: 'd' } },
      [{ issuer: IDP, subject: 'alice', ...before }],
    ],
    [
      'what a client holds of a user',
      { format: 'complex', user: alice, application: { format: 'opaque', id: 'app' } },
      [{ issuer: IDP, subject: 'alice', client: 'app', ...before }],
    ],
    [
      'one token',
      { format: 'jwt_id', iss: IDP, jti: 'j' },
      [{ issuer: IDP, jti: 'j', expires: SECONDS + 3600 }],
    ],
    [
      'a workload',
      { format: 'uri', uri: 'spiffe://example.org/a' },
      [{ spiffe_id: 'spiffe://example.org/a', expires: SECONDS + 3600 }],
    ],
    [
      'all that somebody is also called',
      {
        format: 'aliases',
        identifiers: [
          alice,
          { format: 'email', email: 'a@example.org' },
          { format: 'phone_number', phone_number: '+1' },
        ],
      },
      [
        { issuer: IDP, subject: 'alice', ...before },
        { issuer: IDP, subject: 'a@example.org', ...before },
      ],
    ],
  ])('%s', async (_, sub_id, expected) => {
    const seen = await (await open()).entries({ sub_id });
    for (const one of expected) expect(seen).toContainEqual(one);
    expect(new Set(seen.map((one) => JSON.stringify(one))).size).toBe(expected.length);
  });

  test.each([
    [event('credential-change', { credential_type: 'password', change_type: 'update' }), 1],
    [event('credential-change', { credential_type: 'x509', change_type: 'revoke' }), 1],
    [event('credential-change', { credential_type: 'fido2-roaming', change_type: 'create' }), 0],
    [event('token-claims-change', { claims: { role: 'ro' } }), 1],
    [{ [`${RISC}account-disabled`]: { reason: 'hijacking' } }, 1],
    [event('device-compliance-change'), 0],
    [{ ...event('session-revoked'), ...event('token-claims-change') }, 1],
  ])('by its type: %j', async (events, count) => {
    const entries = await (await open()).entries({ events });
    expect(new Set(entries.map(({ subject }) => subject)).size).toBe(count);
  });

  test.each([
    [{ event_timestamp: SECONDS - 100 }, {}, SECONDS - 99],
    [{ event_timestamp: (SECONDS - 100) * 1000 }, {}, SECONDS - 99],
    [{ event_timestamp: SECONDS + 9_999 }, {}, SECONDS + 1],
    [{ event_timestamp: 'yesterday' }, { toe: SECONDS - 50 }, SECONDS - 49],
    [{ event_timestamp: undefined }, { iat: SECONDS - 5 }, SECONDS - 4],
  ])('what was issued when it happened: %j %j', async (members, claims, issued_before) => {
    const entries = await (await open()).entries({ events: event('session-revoked', members), ...claims });
    expect(entries).toContainEqual(expect.objectContaining({ subject: 'alice', issued_before }));
  });

  test('where the subject stands in the event, as before Shared Signals 1.0', async () => {
    const events = event('session-revoked', { subject: alice });
    expect(await (await open()).entries({ sub_id: undefined, events })).toContainEqual({
      issuer: IDP,
      subject: 'alice',
      ...before,
    });
  });

  test('for every issuer that the transmitter speaks for, where the subject names none', async () => {
    const { entries } = await open({ issuers: [IDP, 'https://other.example'] });
    const seen = await entries({
      sub_id: { format: 'email', email: 'a@example.org' },
      events: event('token-claims-change'),
    });
    expect(seen.map(({ issuer }) => issuer)).toEqual([IDP, 'https://other.example']);
  });
});

test('a verification event is acknowledged, and so is what nothing follows of', async () => {
  const { push, signals, asked } = await open();
  const stream = { format: 'opaque', id: 'stream-1' };
  expect(
    await push(await set({ sub_id: stream, events: { [`${SSF}verification`]: { state: 'x' } } })),
  ).toEqual({ status: 202 });
  expect(
    await push(await set({ sub_id: stream, events: { [`${SSF}stream-updated`]: { status: 'paused' } } })),
  ).toEqual({ status: 202 });
  expect(await push(await set({ sub_id: { format: 'phone_number', phone_number: '+1' } }))).toEqual({
    status: 202,
  });
  expect(signals.map(({ result }) => result)).toEqual(['verification', 'no_effect', 'unmatched']);
  expect(asked).toEqual([]);
});

test('a token that comes again is acknowledged and does nothing', async () => {
  const { push, signals, asked } = await open();
  const token = await set();
  await push(token);
  const once = asked.length;
  expect(await push(`${token}\n`)).toEqual({ status: 202 });
  expect(asked).toHaveLength(once);
  expect(signals.map(({ result }) => result)).toEqual(['applied', 'repeated']);
});

describe('refused is', () => {
  test.each<[string, string, () => Promise<string>, Partial<Push>?]>([
    ['trap 86: a SET that has exp', 'invalid_request', () => set({ exp: SECONDS + 60 })],
    ['an access token', 'invalid_request', () => set({}, { typ: 'at+jwt' })],
    ['a token without a type', 'invalid_request', () => set({}, { typ: undefined })],
    ['what is no JWS', 'invalid_request', async () => 'x.y'],
    ['another content type', 'invalid_request', () => set(), { contentType: 'application/json' }],
    ['no jti', 'invalid_request', () => set({ jti: undefined })],
    ['no iat', 'invalid_request', () => set({ iat: undefined })],
    ['a time to come', 'invalid_request', () => set({ iat: SECONDS + 61 })],
    ['no events', 'invalid_request', () => set({ events: {} })],
    ['an event that is no object', 'invalid_request', () => set({ events: { x: 1 } })],
    ['no subject', 'invalid_request', () => set({ sub_id: undefined })],
    ['an unknown transmitter', 'invalid_issuer', () => set({ iss: `${IDP}/` })],
    ['another audience', 'invalid_audience', () => set({ aud: ['https://else.example'] })],
    ['an unknown key', 'invalid_key', () => set({}, { kid: 't2' })],
    ['a forged signature', 'authentication_failed', () => set({}, {}, stranger)],
    [
      'a subject of another issuer',
      'access_denied',
      () => set({ sub_id: { ...alice, iss: 'https://bank.example' } }),
    ],
    [
      'a session of another issuer’s user',
      'access_denied',
      () =>
        set({
          sub_id: {
            format: 'complex',
            user: { ...alice, iss: 'https://bank.example' },
            session: { format: 'opaque', id: 's' },
          },
        }),
    ],
    [
      'a workload of another trust domain',
      'access_denied',
      () => set({ sub_id: { format: 'uri', uri: 'spiffe://bank.example/a' } }),
    ],
  ])('%s: %s', async (...[, err, make, others]) => {
    const { push, asked, signals } = await open();
    expect(await push(await make(), others)).toEqual({
      status: 400,
      body: { err, description: expect.stringMatching(/./) },
    });
    expect(asked).toEqual([]);
    expect(signals).toEqual([
      expect.objectContaining({ result: 'refused', detail: expect.stringContaining(err) }),
    ]);
  });

  test('an algorithm that the transmitter is not known for', async () => {
    const { push } = await open({ algorithms: ['RS256'] });
    expect(await push(await set())).toMatchObject({ status: 400, body: { err: 'invalid_key' } });
  });

  test('who does not send the header agreed upon', async () => {
    const { push } = await open({ secret: async () => 'agreed' });
    for (const authorization of [undefined, 'Bearer other', 'Basic agreed'])
      expect(await push(await set(), { authorization })).toMatchObject({
        status: 400,
        body: { err: 'authentication_failed' },
      });
    expect(await push(await set(), { authorization: 'Bearer agreed' })).toEqual({ status: 202 });
  });
});

describe('the transmitter has to try again', () => {
  test('while its keys cannot be had', async () => {
    const { push, keys, signals } = await open();
    const { set: good } = keys;
    keys.set = undefined;
    const token = await set();
    expect(await push(token)).toEqual({ status: 503 });
    expect(signals).toMatchObject([{ result: 'unavailable' }]);
    keys.onDemand = () => void (keys.set = good);
    expect(await push(token)).toEqual({ status: 202 });
  });

  test('while nothing can be kept', async () => {
    const { push } = await open({}, { failed: 'store_unavailable', detail: 'gone' });
    const token = await set();
    expect(await push(token)).toEqual({ status: 503 });
    expect(await push(token)).toEqual({ status: 503 });
  });

  test('while the secret cannot be read', async () => {
    const { push } = await open({ secret: () => Promise.reject(new Error('ENOENT')) });
    expect(await push(await set())).toEqual({ status: 503 });
  });
});

test('whatever a transmitter signs, it is answered, and nothing but what it may speak of is refused', async () => {
  const { push, asked } = await open();
  const name = fc.constantFrom(
    'format',
    'iss',
    'sub',
    'id',
    'uri',
    'user',
    'session',
    'application',
    'identifiers',
  );
  const value = fc.oneof(
    fc.constantFrom(
      'iss_sub',
      'opaque',
      'uri',
      'aliases',
      'complex',
      IDP,
      'https://bank.example',
      'spiffe://example.org/a',
      'spiffe://bank.example/a',
      'x',
    ),
    fc.jsonValue(),
  );
  const simple = fc.dictionary(name, value);
  const subject = fc.dictionary(name, fc.oneof(value, simple, fc.array(simple, { maxLength: 3 })));
  await fc.assert(
    fc.asyncProperty(subject, fc.jsonValue(), async (sub_id, timestamp) => {
      const token = await set({ sub_id, events: event('session-revoked', { event_timestamp: timestamp }) });
      expect([202, 400]).toContain((await push(token)).status);
    }),
    { numRuns: 300 },
  );
  for (const { issuer, spiffe_id } of asked)
    expect(issuer === IDP || spiffe_id?.startsWith('spiffe://example.org/')).toBe(true);
});
