import fc from 'fast-check';
import { isRefusal } from '../../src/errors/refusal.js';
import { isTrustDomainName, parseSpiffeId, parseWorkloadId } from '../../src/identity/spiffe-id.js';

const invalid = expect.objectContaining({ refused: true, code: 'spiffe_id_invalid' });

const ofLength = (bytes: number) => 'spiffe://example.org/'.padEnd(bytes, 'a');

describe('a SPIFFE ID', () => {
  test('is taken apart without being changed', () => {
    expect(parseSpiffeId('spiffe://prod.eu_1.example-x.org/ns/Shop/sa/front.end_2')).toEqual({
      text: 'spiffe://prod.eu_1.example-x.org/ns/Shop/sa/front.end_2',
      trustDomain: 'prod.eu_1.example-x.org',
      path: '/ns/Shop/sa/front.end_2',
    });
  });

  test.each(['...', '.a', 'a..b', '-', '_', '0'])('may have the path segment %p', (segment) => {
    expect(parseWorkloadId(`spiffe://example.org/${segment}`)).toMatchObject({ path: `/${segment}` });
  });

  test('trap 33: without a path it names a trust domain, and is refused as a workload', () => {
    expect(parseSpiffeId('spiffe://example.org')).toMatchObject({ trustDomain: 'example.org', path: '' });
    expect(parseWorkloadId('spiffe://example.org')).toEqual(invalid);
    expect(parseSpiffeId('spiffe://example.org/')).toEqual(invalid);
    expect(parseWorkloadId('spiffe://example.org/')).toEqual(invalid);
  });

  test.each(['spiffe://Example.org/a', 'spiffe://EXAMPLE.ORG/a', 'SPIFFE://example.org/a'])(
    'trap 34: upper case in scheme or trust domain is refused: %s',
    (text) => expect(parseSpiffeId(text)).toEqual(invalid),
  );

  test.each(['spiffe://example.org:443/a', 'spiffe://user@example.org/a', 'spiffe://u:p@example.org/a'])(
    'trap 35: a port or userinfo is refused: %s',
    (text) => expect(parseSpiffeId(text)).toEqual(invalid),
  );

  test.each(['/%2e', '/%2E%2e/a', '/a%2fb', '/.', '/..', '/a/../b', '/a/./b', '//', '//a', '/a//b', '/a/'])(
    'trap 36: percent-encoding, dot segments and empty segments are refused: %s',
    (path) => expect(parseSpiffeId(`spiffe://example.org${path}`)).toEqual(invalid),
  );

  test.each([
    'spiffe://example.org/a?b=c',
    'spiffe://example.org/a#b',
    'spiffe://example.org?',
    'spiffe://a#',
  ])('trap 37: a query or fragment is refused: %s', (text) => expect(parseSpiffeId(text)).toEqual(invalid));

  test('trap 38: 2048 bytes are accepted and 2049 are refused', () => {
    expect(parseWorkloadId(ofLength(2048))).toMatchObject({ text: ofLength(2048) });
    expect(parseWorkloadId(ofLength(2049))).toEqual(invalid);
  });

  test('has a trust domain of 255 characters at most', () => {
    expect(parseSpiffeId(`spiffe://${'a'.repeat(255)}/b`)).toMatchObject({ path: '/b' });
    expect(parseSpiffeId(`spiffe://${'a'.repeat(256)}/b`)).toEqual(invalid);
    expect(isTrustDomainName('')).toBe(false);
  });

  test.each([
    '',
    'spiffe:',
    'spiffe://',
    'spiffe:///a',
    'spiffe:/example.org/a',
    'https://example.org/a',
    ' spiffe://example.org/a',
    'spiffe://example.org/a ',
    'spiffe://example.org/a\n',
    'spiffe://example.org/a\0',
    'spiffe://example.org\\a',
    'spiffe://example.org/ü',
    'spiffe://exämple.org/a',
    'spiffe://example.org/a;b=c',
    'example.org',
  ])('is nothing else: %j', (text) => expect(parseSpiffeId(text)).toEqual(invalid));

  test('is never quoted in a refusal', () => {
    const outcome = parseSpiffeId('spiffe://example.org/sec ret');
    expect(isRefusal(outcome) && outcome.detail).not.toContain('sec');
  });
});

describe('whatever the text', () => {
  const anyText = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({ unit: fc.constantFrom(...'spife:/.-_%?#@AZaz09é\0') }).map((rest) => `spiffe://${rest}`),
  );

  test('it is refused, or it is its own trust domain and path put together', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const id = parseSpiffeId(text);
        if (isRefusal(id)) return id.code === 'spiffe_id_invalid';
        return id.text === text && text === `spiffe://${id.trustDomain}${id.path}` && !/[^ -~]/.test(text);
      }),
    );
  });
});
