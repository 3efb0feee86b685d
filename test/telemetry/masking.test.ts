import fc from 'fast-check';
import { createMask, maskText, type MaskingOptions } from '../../src/telemetry/masking.js';

const JWT = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl';

/** The input of a policy, with these members of the HTTP request. */
const http = (members: object, more: object = {}) => ({
  input: { attributes: { request: { http: members } }, ...more },
});
const mask = (event: object, options?: MaskingOptions) =>
  createMask(options)(event as { [name: string]: unknown });

const percent = (text: string) => [...Buffer.from(text)].map((byte) => `%${byte.toString(16)}`).join('');
const unescaped = (text: string) =>
  text
    .replace(/%25/g, '%')
    .replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));

describe('what a log line may not hold', () => {
  test.each([
    'authorization',
    'Authorization',
    'proxy-authorization',
    'cookie',
    'set-cookie',
    'dpop',
    'DPoP',
    'x-api-key',
    'x-apikey',
    'x-amz-security-token',
    'x-forwarded-client-cert',
    'x-client-secret',
    'txn-token',
  ])('trap 102: the header %s is erased', (name) => {
    const { event, erased } = mask(http({ headers: { [name]: 'opaque', accept: 'text/html' } }));
    expect(event).toEqual(http({ headers: { accept: 'text/html' } }));
    expect(erased).toEqual([`/input/attributes/request/http/headers/${name}`]);
  });

  test('trap 102: raw headers, certificates and bodies are erased as well', () => {
    const event = {
      input: {
        attributes: {
          source: { certificate: 'pem', principal: 'spiffe://a/b' },
          destination: { certificate: 'pem' },
          request: { http: { headerMap: { headers: [{ key: 'cookie' }] }, rawBody: 'AAAA', body: 'b' } },
        },
        parsed_body: { password: 'x' },
      },
      result: { body: 'b', headers: { 'Set-Cookie': 'c', 'x-ok': '1' } },
    };
    expect(mask(event).event).toEqual({
      input: {
        attributes: { source: { principal: 'spiffe://a/b' }, destination: {}, request: { http: {} } },
      },
      result: { headers: { 'x-ok': '1' } },
    });
    const { erased } = mask(event, { includeBody: true });
    expect(erased).not.toContain('/input/parsed_body');
    expect(erased).toContain('/input/attributes/request/http/rawBody');
  });

  test('trap 102: credentials in the query are masked, in the path, in the parsed form and in a referer', () => {
    const path = '/a?access_token=s3cret&page=2&Client_Secret=s3cret#code=s3cret';
    const { event, masked } = mask(
      http(
        { path, headers: { referer: `https://x/?token=s3cret` } },
        { parsed_query: { access_token: ['s3cret'], page: ['2'] }, request: { query: 'id_token=s3cret' } },
      ),
    );
    const text = JSON.stringify(event);
    expect(text).not.toContain('s3cret');
    expect(text).toContain('page=2');
    expect(event).toMatchObject({ input: { parsed_query: { page: ['2'] } } });
    expect(masked).toContain('/input/parsed_query/access_token');
    expect(masked).toContain('/input/attributes/request/http/path');
  });

  test.each([
    ['the dots of a JWT', `/a/${JWT.replaceAll('.', '%2E')}/b`],
    ['the first letter of a JWT', `%65${JWT.slice(1)}`],
    ['all of a JWT', percent(JWT)],
    ['all of a JWT, twice', percent(percent(JWT))],
    ['the name of a parameter', '/a?access%5Ftoken=s3cret&page=2'],
    ['the name of a parameter, with an index', '/a?token%5B0%5D=s3cret'],
    ['a URL in a parameter', '/login?next=https%3A%2F%2Fx%2Fcb%3Fcode%3Ds3cret'],
    ['a private key', `/a?k=-----BEGIN%20PRIVATE%20KEY-----%0As3cret`],
    ['a private key in a form', `k=-----BEGIN+PRIVATE+KEY-----%0As3cret`],
  ])('trap 102: escapes do not hide %s', (_what, text) => {
    const { event, masked } = mask({ input: { deep: [text], [text]: 1 } });
    const line = JSON.stringify(event);
    for (const hidden of ['s3cret', JWT, JWT.slice(1), JWT.split('.')[2]!]) {
      expect(line).not.toContain(hidden);
      expect(unescaped(line)).not.toContain(hidden);
    }
    expect(masked).toContain('/input/deep/0');
  });

  test('escapes that hide nothing are left as they are', () => {
    for (const text of ['/caf%C3%A9?q=a%20b&page=%31', '100%', '%zz=%', '/a%2Fb', 'token%'])
      expect(maskText(text)).toBe(text);
  });

  test('trap 102: a form in a body that is logged is masked by the names of its parameters', () => {
    const event = http(
      { body: 'client_secret=s3cret&name=x&token[]=s3cret' },
      { parsed_body: { client_secret: ['s3cret'], name: ['x'], 'token[]': ['s3cret'] } },
    );
    const { event: clean, masked } = mask(event, { includeBody: true });
    expect(clean).toEqual(
      http(
        { body: 'client_secret=**REDACTED**&name=x&token[]=**REDACTED**' },
        { parsed_body: { client_secret: '**REDACTED**', name: ['x'], 'token[]': '**REDACTED**' } },
      ),
    );
    expect(masked).toContain('/input/parsed_body/client_secret');
  });

  test("trap 102: parameters that a policy sets in the upstream's query are masked by their names", () => {
    const { event } = mask({ result: { query_parameters_to_set: { access_token: 's3cret', page: '2' } } });
    expect(event).toEqual({
      result: { query_parameters_to_set: { access_token: '**REDACTED**', page: '2' } },
    });
  });

  test('trap 102: whatever looks like a JWT or a private key is masked, wherever it stands', () => {
    fc.assert(
      fc.property(
        fc.object({ maxDepth: 4, values: [fc.constant(1)] }),
        fc.string(),
        fc.string(),
        fc.boolean(),
        (other, before, after, asName) => {
          const text = `${before}${JWT}${after}`;
          const event = { input: { other, deep: [{ [asName ? text : 'value']: text }] } };
          const { event: clean, masked, erased } = mask(event);
          expect(JSON.stringify([clean, masked, erased])).not.toContain(JWT);
          expect(masked.length).toBeGreaterThan(0);
        },
      ),
    );
    expect(maskText('-----BEGIN PRIVATE KEY-----\nAAAA')).toBe('**REDACTED**');
    expect(maskText('-----BEGIN EC PRIVATE KEY-----\nAAAA')).toBe('**REDACTED**');
  });

  test('is what configuration names, besides', () => {
    const event = {
      input: { token: { claims: { email: 'a@b', sub: 'x' } } },
      result: { 'a/b': 1, 'c~d': 2 },
    };
    const { event: clean, erased } = mask(event, {
      erase: ['/input/token/claims/email', '/result/a~1b', '/result/c~0d'],
    });
    expect(clean).toEqual({ input: { token: { claims: { sub: 'x' } } }, result: {} });
    expect(erased).toEqual(['/input/token/claims/email', '/result/a~1b', '/result/c~0d']);
  });

  test('is one item of a list, where configuration names that', () => {
    const event = { input: { token: { claims: { groups: ['a', { b: 's3cret' }, 'c'] } } } };
    const { event: clean, erased } = mask(event, { erase: ['/input/token/claims/groups/1'] });
    expect(clean).toEqual({ input: { token: { claims: { groups: ['a', null, 'c'] } } } });
    expect(erased).toEqual(['/input/token/claims/groups/1']);
  });

  test('leaves the event itself as it was, and all else in it', () => {
    const event = http({ headers: { cookie: 'c' }, path: '/a?token=x' });
    const before = structuredClone(event);
    mask(event);
    expect(event).toEqual(before);
    const plain = JSON.parse('{"input":{"__proto__":{"a":1},"n":null,"list":[1,"x"]}}') as object;
    expect(JSON.stringify(mask(plain).event)).toBe(JSON.stringify(plain));
  });

  test('masks numbers that JSON cannot hold as text', () => {
    expect(mask({ input: { n: 2n ** 64n } }).event).toEqual({ input: { n: '18446744073709551616' } });
  });

  test('takes no longer for a text made to be slow', () => {
    // Quadratic matching of these would take minutes, and the test's own limit is 30 s.
    for (const text of [
      'eyJ'.repeat(200_000),
      'eyJ.'.repeat(200_000),
      'token='.repeat(200_000),
      '?&'.repeat(200_000),
      `${'a'.repeat(600_000)}%`,
      '%25'.repeat(200_000),
      '&token['.repeat(100_000),
      `token[${'a'.repeat(600_000)}`,
      'PRIVATE KEY----'.repeat(50_000),
    ])
      expect(typeof maskText(text)).toBe('string');
  });
});
