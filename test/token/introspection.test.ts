import { ClientSecretBasic } from 'oauth4webapi';
import { createIntrospection, type IntrospectionOptions } from '../../src/token/introspection.js';
import { ISSUER, NOW } from './support.js';

const ENDPOINT = `${ISSUER}/introspect`;
const YES = '{"active":true}';
const NO = '{"active":false}';

type Post = IntrospectionOptions['post'];

/** An endpoint that a test holds in its hand, and what asks it. */
function setUp(overrides: Partial<IntrospectionOptions> = {}) {
  const clock = { now: NOW };
  const sent: { url: string; body: URLSearchParams; headers: { readonly [name: string]: string } }[] = [];
  let answer: (token: string) => ReturnType<Post> = () => Promise.resolve({ status: 200, body: YES });
  const ask = createIntrospection({
    issuer: ISSUER,
    endpoint: () => Promise.resolve(ENDPOINT),
    clientId: 'orders',
    authentication: () => Promise.resolve(ClientSecretBasic('s3cret')),
    post: (url, { body, headers }) => {
      sent.push({ url, body: new URLSearchParams(body), headers });
      return answer(sent.at(-1)!.body.get('token')!);
    },
    cache: 10_000,
    negativeCache: 1_000,
    timeout: 500,
    concurrency: 2,
    now: () => clock.now,
    ...overrides,
  });
  return { ask, sent, clock, answering: (by: typeof answer) => void (answer = by) };
}

const saying =
  (body: string, status = 200) =>
  () =>
    Promise.resolve({ status, body });

describe('asking an issuer about a token', () => {
  test('sends what RFC 7662 section 2.1 asks for, and who asks', async () => {
    const { ask, sent } = setUp();
    expect(await ask('opaque+/=')).toEqual({ at: NOW, body: YES });
    const [{ url, body, headers }] = sent as [(typeof sent)[0]];
    expect(url).toBe(ENDPOINT);
    expect(Object.fromEntries(body)).toEqual({ token: 'opaque+/=', token_type_hint: 'access_token' });
    expect(headers).toMatchObject({
      authorization: `Basic ${btoa('orders:s3cret')}`,
      accept: 'application/json',
      'content-type': 'application/x-www-form-urlencoded;charset=UTF-8',
    });
  });

  test('is done once for all that ask at the same time, and for as long as the answer counts', async () => {
    const { ask, sent, clock } = setUp();
    await Promise.all(Array.from({ length: 100 }, () => ask('a')));
    clock.now += 9_999;
    await ask('a');
    expect(sent).toHaveLength(1);
    clock.now += 1;
    expect(await ask('a')).toEqual({ at: NOW + 10_000, body: YES });
    expect(sent).toHaveLength(2);
  });

  test('is done for each token by itself', async () => {
    const { ask, sent } = setUp();
    await Promise.all([ask('a'), ask('b')]);
    expect(sent.map(({ body }) => body.get('token'))).toEqual(['a', 'b']);
  });

  test('remembers a no for a shorter while', async () => {
    const { ask, sent, clock, answering } = setUp();
    answering(saying(NO));
    await ask('a');
    clock.now += 999;
    expect(await ask('a')).toEqual({ at: NOW, body: NO });
    expect(sent).toHaveLength(1);
    clock.now += 1;
    await ask('a');
    expect(sent).toHaveLength(2);
  });

  test('remembers nothing where configuration says so', async () => {
    const { ask, sent } = setUp({ cache: 0 });
    await ask('a');
    await ask('a');
    expect(sent).toHaveLength(2);
  });

  test.each([
    ['a redirect', saying('', 302)],
    ['an error', saying(YES, 500)],
    ['a refusal of the client', saying('{"error":"invalid_client"}', 401)],
    ['a page for people', saying('<html>s3cret</html>')],
    ['a text in place of a boolean', saying('{"active":"true"}')],
    ['a response without a body', saying('', 204)],
  ])('fails for %s, which is never remembered and never quoted', async (_, answer) => {
    const { ask, sent, answering } = setUp();
    answering(answer);
    const outcome = await ask('t0ken');
    expect(outcome).toEqual({ failure: expect.stringContaining(ENDPOINT) });
    expect(JSON.stringify(outcome)).not.toMatch(/s3cret|t0ken|invalid_client/);
    answering(saying(YES));
    expect(await ask('t0ken')).toEqual({ at: NOW, body: YES });
    expect(sent).toHaveLength(2);
  });

  test('fails where the endpoint cannot be found out, or the credentials cannot be read', async () => {
    for (const part of ['endpoint', 'authentication'] as const) {
      const { ask, sent } = setUp({ [part]: () => Promise.reject(new Error('no such file')) });
      expect(await ask('a')).toEqual({ failure: 'no such file' });
      expect(sent).toHaveLength(0);
    }
  });

  test('gives up in time, for those that wait for their turn as well', async () => {
    const { ask, answering, sent } = setUp({ timeout: 100, concurrency: 1 });
    answering(() => new Promise((resolve) => setTimeout(resolve, 150, { status: 200, body: YES })));
    const started = performance.now();
    const outcomes = await Promise.all([ask('a'), ask('b'), ask('c')]);
    expect(performance.now() - started).toBeLessThan(1_000);
    expect(outcomes.slice(1)).toEqual(Array(2).fill({ failure: 'no answer in time' }));
    expect(sent).toHaveLength(1);
  });

  test('has no more requests out at once than it may', async () => {
    const { ask, answering } = setUp({ concurrency: 3 });
    let [out, most] = [0, 0];
    answering(async () => {
      most = Math.max(most, ++out);
      await new Promise((resolve) => setTimeout(resolve, 2));
      out--;
      return { status: 200, body: YES };
    });
    const outcomes = await Promise.all(Array.from({ length: 50 }, (_, i) => ask(`token-${i}`)));
    expect(outcomes).toEqual(Array(50).fill({ at: NOW, body: YES }));
    expect(most).toBe(3);
  });

  test('lets a flood of unknown tokens wait in a line of bounded length', async () => {
    const { ask, sent, answering } = setUp();
    answering(async () => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      return { status: 200, body: NO };
    });
    const outcomes = await Promise.all(Array.from({ length: 1_500 }, (_, i) => ask(`token-${i}`)));
    const refusedAtOnce = outcomes.filter(
      (outcome) => 'failure' in outcome && /wait already/.test(outcome.failure),
    );
    expect(refusedAtOnce.length).toBe(1_500 - 1_000 - 2);
    expect(sent.length).toBeLessThanOrEqual(1_002);
  });

  test('leaves a server alone that is away, and finds out with one request when it is back', async () => {
    const { ask, sent, clock, answering } = setUp();
    answering(() => Promise.reject(new Error('ECONNREFUSED')));
    for (let i = 0; i < 1_000; i++) await ask(`token-${i}`);
    expect(sent).toHaveLength(5);
    clock.now += 1_000;
    await Promise.all(Array.from({ length: 100 }, (_, i) => ask(`later-${i}`)));
    expect(sent).toHaveLength(6);
    clock.now += 1_000;
    answering(saying(YES));
    expect(await ask('a')).toMatchObject({ body: YES });
    expect(await ask('b')).toMatchObject({ body: YES });
  });

  test.each([400, 403, 404, 413, 302])(
    'lets no token that is answered %i pause those of others',
    async (status) => {
      const { ask, answering } = setUp();
      answering((token) =>
        Promise.resolve(token === 'good' ? { status: 200, body: YES } : { status, body: '' }),
      );
      for (let i = 0; i < 50; i++)
        expect(await ask(`bad-${i}`)).toEqual({ failure: expect.stringContaining(`answered ${status}`) });
      expect(await ask('good')).toMatchObject({ body: YES });
    },
  );

  test.each([401, 408, 429, 500, 503])('leaves a server alone that answers %i', async (status) => {
    const { ask, sent, answering } = setUp();
    answering(saying('', status));
    for (let i = 0; i < 50; i++) await ask(`token-${i}`);
    expect(sent).toHaveLength(5);
  });
});
