import fc from 'fast-check';
import { isRefusal } from '../../src/errors/refusal.js';
import { readJws } from '../../src/jws/compact.js';
import { CLAIMS, FakeKeys, NOW, TestKey, encode, refused, trust, verifierOf } from '../token/support.js';

const SIGNATURE = encode('signature');
const compact = (header: string, payload = '{"sub":"alice"}') =>
  `${encode(header)}.${encode(payload)}.${SIGNATURE}`;

describe('a compact JWS', () => {
  test('is taken apart', () => {
    expect(readJws(compact('{"alg":"ES256","typ":"at+jwt","kid":"k1","x":[1]}'))).toEqual({
      header: { alg: 'ES256', typ: 'at+jwt', kid: 'k1', x: [1] },
      payload: { sub: 'alice' },
      type: 'at+jwt',
      keyId: 'k1',
    });
    expect(readJws(compact('{"alg":"ES256"}'))).toMatchObject({ type: undefined, keyId: undefined });
  });

  test.each([
    ['nothing', '', 'token_malformed'],
    ['one part', encode('{}'), 'token_malformed'],
    ['two parts', `${encode('{"alg":"ES256"}')}.${encode('{}')}`, 'token_malformed'],
    ['four parts', `${compact('{"alg":"ES256"}')}.`, 'token_malformed'],
    ['five parts', 'a.b.c.d.e', 'token_malformed'],
    ['only dots', '..', 'token_malformed'],
    ['no header', `.${encode('{}')}.${SIGNATURE}`, 'token_malformed'],
    ['no claims', `${encode('{"alg":"ES256"}')}..${SIGNATURE}`, 'token_malformed'],
    ['no signature', `${encode('{"alg":"ES256"}')}.${encode('{}')}.`, 'token_malformed'],
    ['base64 instead of base64url', `${encode('{"alg":"ES256"}')}.e30.+/+/`, 'token_malformed'],
    ['padding', `${encode('{"alg":"ES256"}')}.e30=.${SIGNATURE}`, 'token_malformed'],
    ['stray bits', `${encode('{"alg":"ES256"}')}.e31.${SIGNATURE}`, 'token_malformed'],
    ['a lone letter', `${encode('{"alg":"ES256"}')}.${encode('{}')}.AAAAA`, 'token_malformed'],
    ['a header that is no JSON', compact('alg'), 'token_header_invalid'],
    ['a header that is an array', compact('["alg"]'), 'token_header_invalid'],
    ['a header of null', compact('null'), 'token_header_invalid'],
    ['a header without alg', compact('{}'), 'token_header_invalid'],
    ['an alg that is no string', compact('{"alg":["ES256"]}'), 'token_header_invalid'],
    ['an alg of null', compact('{"alg":null}'), 'token_header_invalid'],
    ['a typ that is no string', compact('{"alg":"ES256","typ":1}'), 'token_header_invalid'],
    ['a typ of null', compact('{"alg":"ES256","typ":null}'), 'token_header_invalid'],
    ['a kid that is no string', compact('{"alg":"ES256","kid":1}'), 'token_header_invalid'],
    ['a kid of null', compact('{"alg":"ES256","kid":null}'), 'token_header_invalid'],
    ['a critical extension', compact('{"alg":"ES256","crit":["x"],"x":1}'), 'token_header_invalid'],
    ['an empty crit', compact('{"alg":"ES256","crit":[]}'), 'token_header_invalid'],
    ['a byte order mark', compact('\ufeff{"alg":"ES256"}'), 'token_header_invalid'],
    ['text after the header', compact('{"alg":"ES256"}{}'), 'token_header_invalid'],
    ['alg as an inherited member', compact('{"__proto__":{"alg":"ES256"}}'), 'token_header_invalid'],
    ['claims that are an array', compact('{"alg":"ES256"}', '[]'), 'token_malformed'],
    ['claims that are a string', compact('{"alg":"ES256"}', '"sub"'), 'token_malformed'],
    [
      'claims beyond the depth',
      compact('{"alg":"ES256"}', `{"a":${'['.repeat(64)}${']'.repeat(64)}}`),
      'token_malformed',
    ],
    [
      'claims that are no UTF-8',
      `${encode('{"alg":"ES256"}')}.${Buffer.from('7b2261223a22ff227d', 'hex').toString('base64url')}.${SIGNATURE}`,
      'token_malformed',
    ],
  ])('with %s is refused', (_, token, code) => {
    expect(readJws(token)).toEqual(refused(code));
  });

  test('keeps a number of its claims that no double can hold', () => {
    const jws = readJws(compact('{"alg":"ES256"}', '{"account":9007199254740993}'));
    expect(jws).toMatchObject({ payload: { account: 9007199254740993n } });
  });
});

describe('whatever arrives', () => {
  const letters = fc.constantFrom(...'eyJhbGciOiJub25lIn0._-=+/ ,{}"\n\u2028é');
  const texts = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: letters, maxLength: 60 }),
    fc.tuple(fc.json(), fc.json(), fc.string()).map((parts) => parts.map(encode).join('.')),
  );

  test('reading never throws, and accepts no part that it would not write alike', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const jws = readJws(text);
        if (isRefusal(jws)) expect(['token_malformed', 'token_header_invalid']).toContain(jws.code);
        else expect(text).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);
      }),
      { numRuns: 1000 },
    );
  });

  test('verifying never throws, never rejects and accepts nothing', async () => {
    const key = await TestKey.create('k1');
    const { verify } = verifierOf([trust(await FakeKeys.of(key))]);
    await fc.assert(
      fc.asyncProperty(fc.array(texts, { maxLength: 3 }), texts, async (authorization, token) => {
        expect(await verify(token)).toEqual({
          refused: true,
          code: expect.stringMatching(/^token_/),
          detail: expect.any(String),
        });
        expect(await verify('', { authorization })).toMatchObject({ refused: true });
      }),
      { numRuns: 300 },
    );
  });

  test('a good token with any one character changed, taken away or added is refused', async () => {
    const key = await TestKey.create('k1');
    const { verify } = verifierOf([trust(await FakeKeys.of(key))]);
    const token = await key.token();
    const change = fc.record({
      at: fc.nat({ max: token.length }),
      removed: fc.constantFrom(0, 1),
      added: fc.oneof(letters, fc.string({ minLength: 1, maxLength: 1 }), fc.constant('')),
    });
    await fc.assert(
      fc.asyncProperty(change, async ({ at, removed, added }) => {
        const changed = token.slice(0, at) + added + token.slice(at + removed);
        // White space before a token is no part of it.
        fc.pre(changed.replace(/^ +/, '') !== token);
        expect(await verify(changed)).toMatchObject({ refused: true });
      }),
      { numRuns: 500 },
    );
    expect(await verify(token)).toMatchObject({ subject: 'alice' });
  });

  test('a signed payload of any JSON either has the right claims or is refused', async () => {
    const key = await TestKey.create('k1');
    const { verify } = verifierOf([trust(await FakeKeys.of(key))]);
    const claims = fc.record(
      Object.fromEntries(
        [...Object.keys(CLAIMS), 'nbf', 'scope', 'act', 'cnf'].map((name) => [
          name,
          fc.oneof(
            { weight: 3, arbitrary: fc.constant((CLAIMS as { [name: string]: unknown })[name]) },
            { weight: 1, arbitrary: fc.jsonValue() },
          ),
        ]),
      ),
    );
    await fc.assert(
      fc.asyncProperty(claims, async (payload) => {
        const outcome = await verify(key.raw(key.header(), JSON.stringify(payload)));
        if ('refused' in outcome) return;
        const { iss, aud, exp, sub } = payload as typeof CLAIMS;
        expect({ iss, sub }).toEqual({ iss: outcome.issuer, sub: outcome.subject });
        expect([aud].flat()).toContain('orders');
        expect(exp * 1000).toBeGreaterThan(NOW);
        expect(payload.cnf).toBeUndefined();
      }),
      { numRuns: 300 },
    );
  });
});
