import { parsed, configText, reported } from './support.js';

const withDpop = (dpop: string) => configText({ rest: `  dpop: ${dpop}` });

test('a nonce secret is found beside the file', () => {
  expect(parsed(withDpop('{ nonce: always, nonce_secret: ./nonce }')).token.dpop).toMatchObject({
    nonce: 'always',
    nonce_secret: '/etc/countersign/nonce',
  });
});

test.each(['https://orders.example.org', 'http://orders:8080', 'https://orders.example.org/a/b'])(
  '%s is the base of a URL',
  (origin) => {
    expect(parsed(withDpop(`{ origins: { 'orders:1': '${origin}' } }`)).token.dpop.origins).toEqual({
      'orders:1': origin,
    });
  },
);

test.each([
  'https://orders.example.org/',
  'orders.example.org',
  'https://a@b',
  'https://a?b',
  'https://a/#',
  'ftp://a',
])('%s is none', (origin) => {
  const [problem, more] = reported(withDpop(`{ origins: { orders: '${origin}' } }`));
  expect(problem).toContain('token.dpop.origins.orders');
  expect(problem).toContain('is not the base of a URL');
  expect(more).toBeUndefined();
});

test('a symmetric algorithm is refused for proofs as for tokens', () => {
  expect(reported(withDpop('{ algorithms: [HS256] }'))[0]).toContain('is an HMAC');
});

test('a binding is one that can be checked, for the server and for an issuer', () => {
  const { token } = parsed(configText({ issuer: 'binding: dpop', rest: '  binding: required' }));
  expect([token.binding, token.issuers[0]!.binding]).toEqual(['required', 'dpop']);
  expect(reported(configText({ rest: '  binding: mtls' }))).toHaveLength(1);
});
