import { configText, FILE, parsed, reported } from './support.js';

const CLIENT = 'client_id: orders, client_authentication: { secret: s3cret }';

const issuer = (line: string) => configText({ issuer: line });
const withKeys = (introspection: string) => issuer(`introspection: { ${introspection} }`);
const withClient = (authentication: string) =>
  withKeys(`client_id: orders, client_authentication: { ${authentication} }`);

/** Issuers by their names, each with what stands in its entry. */
const several = (...entries: string[]) =>
  [
    'identity: { trust_domains: { a: { bundle: a.pem } } }',
    'policy: { path: p }',
    'token:',
    '  issuers:',
    ...entries.map((entry, i) => `    - { issuer: "https://idp${i}.example.org", audiences: [a], ${entry} }`),
  ].join('\n');

describe('introspection', () => {
  test('has defaults for all but the client', () => {
    expect(parsed(withKeys(CLIENT)).token.issuers[0]!.introspection).toEqual({
      endpoint: 'discovery',
      tokens: 'opaque',
      client_id: 'orders',
      client_authentication: { method: 'client_secret_basic', secret: 's3cret' },
      cache: 10_000,
      negative_cache: 2_000,
      timeout: 2_000,
      max_concurrent: 32,
    });
  });

  test('finds its files beside the configuration', () => {
    const folder = FILE.replace(/\/[^/]*$/, '');
    const text = withKeys(
      'ca: ca.pem, client_id: a, client_authentication: { method: tls_client_auth, certificate: svid.pem, private_key: svid.key }',
    );
    expect(parsed(text).token.issuers[0]!.introspection).toMatchObject({
      ca: `${folder}/ca.pem`,
      client_authentication: { certificate: `${folder}/svid.pem`, private_key: `${folder}/svid.key` },
    });
  });

  test('takes the place of keys, and one of the two is needed', () => {
    expect(parsed(several(`introspection: { ${CLIENT} }`)).token.issuers[0]).not.toHaveProperty('jwks');
    expect(reported(several('profile: jwt'))).toEqual([
      '5:7 token.issuers[0].jwks: is missing; add it, or introspection for an issuer without keys',
    ]);
  });

  test.each([
    ['method: client_secret_post', 'lacks what client_secret_post needs; add secret or secret_file'],
    ['{}', 'lacks what client_secret_basic needs; add secret or secret_file'],
    ['method: private_key_jwt', 'lacks what private_key_jwt needs; add private_key'],
    ['method: tls_client_auth, certificate: a', 'lacks the key of its certificate; add private_key'],
    ['method: tls_client_auth', 'lacks what tls_client_auth needs; add certificate or workload_api'],
    ['method: tls_client_auth, workload_api: true, private_key: a', 'has no certificate; add certificate'],
    ['method: tls_client_auth, workload_api: true, certificate: a', 'is given beside certificate'],
    [
      'method: self_signed_tls_client_auth, workload_api: true',
      'lacks what self_signed_tls_client_auth needs',
    ],
    ['method: spiffe_jwt', 'lacks what spiffe_jwt needs; add workload_api'],
    ['method: spiffe_jwt, workload_api: true, secret: a', 'is nothing that spiffe_jwt uses; leave it out'],
    ['secret: a, secret_file: b', 'is given beside secret; leave one of them out'],
    ['secret: a, private_key: b', 'is nothing that client_secret_basic uses; leave it out'],
    ['method: none', 'token.issuers[0].introspection.client_authentication.method'],
  ])('with the client authentication %s is refused', (authentication, problem) => {
    expect(reported(withClient(authentication === '{}' ? '' : authentication))).toContainEqual(
      expect.stringContaining(problem),
    );
  });

  test.each([
    ['http://idp.example.org/introspect', 'is a plain http URL to another host'],
    ['https://idp.example.org/introspect#a', 'has a fragment'],
    ['ftp://idp.example.org', 'is not an https URL'],
  ])('at %s is refused', (endpoint, problem) => {
    expect(reported(withKeys(`endpoint: "${endpoint}", ${CLIENT}`))).toEqual([
      expect.stringContaining(problem),
    ]);
  });

  test('by discovery needs an issuer that can be discovered', () => {
    const text = withKeys(CLIENT).replace('https://idp.example.org', 'idp');
    expect(reported(text)).toEqual([expect.stringContaining('cannot be discovered: it is not a URL')]);
  });

  test.each([
    ['two without a prefix', ['', ''], [1]],
    ['one and one without a prefix', ['prefix: a, ', ''], []],
    ['two prefixes', ['prefix: a, ', 'prefix: b, '], []],
    ['a prefix that begins another one', ['prefix: shop_, ', 'prefix: b, ', 'prefix: shop, '], [2]],
    ['the same prefix twice', ['prefix: a, ', 'prefix: a, '], [1]],
  ])('of several issuers, %s', (_, prefixes, wrong) => {
    const text = several(...prefixes.map((prefix) => `introspection: { ${prefix}${CLIENT} }`));
    if (wrong.length === 0) expect(parsed(text).token.issuers).toHaveLength(prefixes.length);
    else
      expect(reported(text)).toEqual(
        wrong.map((i) =>
          expect.stringContaining(
            `token.issuers[${i}].introspection: cannot be told from that of issuers[0]`,
          ),
        ),
      );
  });
});
