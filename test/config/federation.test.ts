import { ConfigError } from '../../src/config/problem.js';
import { parseConfig } from '../../src/config/load.js';
import { reported } from './support.js';

/** A file whose one trust domain, or whose first, has this endpoint. */
const withEndpoint = (endpoint: string) =>
  `identity: { trust_domains: { example.org: { federation: ${endpoint} } } }\npolicy: { path: p }\ntoken: { mode: "off" }\n`;

test.each<[string, string, string]>([
  [
    'over plain http',
    '{ url: http://localhost/, profile: https_web }',
    'url: is not an https URL; write an https:// URL',
  ],
  [
    'that names a user',
    '{ url: https://a@b/, profile: https_web }',
    'url: is a URL with a user name or a password; leave them out: keys are public',
  ],
  ['with a fragment', '{ url: https://b/#a, profile: https_web }', 'url: has a fragment; leave it out'],
  ['without a profile', '{ url: https://b/ }', 'profile: is missing; add the key; it has no default'],
  [
    'of the web that has a SPIFFE ID',
    '{ url: https://b/, profile: https_web, endpoint_spiffe_id: spiffe://a/b }',
    'endpoint_spiffe_id: is for https_spiffe; leave it out, or change profile',
  ],
  [
    'of the web that has a bootstrap bundle',
    '{ url: https://b/, profile: https_web, bootstrap: b }',
    'bootstrap: is for https_spiffe; leave it out, or change profile',
  ],
  [
    'of SPIFFE that has authorities of the web',
    '{ url: https://b/, profile: https_spiffe, ca: c, endpoint_spiffe_id: spiffe://example.org/b, bootstrap: b }',
    'ca: is for https_web; leave it out: the endpoint is verified with a trust bundle',
  ],
  [
    'of SPIFFE without an ID',
    '{ url: https://b/, profile: https_spiffe }',
    'endpoint_spiffe_id: is missing; write the SPIFFE ID of the endpoint: with https_spiffe it is who has to answer',
  ],
  [
    'of SPIFFE whose ID names no workload',
    '{ url: https://b/, profile: https_spiffe, endpoint_spiffe_id: spiffe://example.org, bootstrap: b }',
    'endpoint_spiffe_id: `spiffe://example.org` is not the SPIFFE ID of a workload; write spiffe://trust-domain/path',
  ],
  [
    'of the domain that it serves, without a bundle to begin with',
    '{ url: https://b/, profile: https_spiffe, endpoint_spiffe_id: spiffe://example.org/b }',
    'bootstrap: is missing; add the file of a bundle: the endpoint belongs to the domain that it serves',
  ],
  [
    'of another domain, with a bundle to begin with',
    '{ url: https://b/, profile: https_spiffe, endpoint_spiffe_id: spiffe://a/b, bootstrap: b }, max_stale: 1d }, a: { bundle: a',
    'bootstrap: is for an endpoint of the domain that it serves; leave it out: the bundle of a verifies this one',
  ],
  [
    'of a domain that is not known',
    '{ url: https://b/, profile: https_spiffe, endpoint_spiffe_id: spiffe://a/b }',
    'endpoint_spiffe_id: is of a trust domain that is not known; add a to trust_domains',
  ],
  [
    'that is asked too often',
    '{ url: https://b/, profile: https_web, min_refresh: 2h }',
    'min_refresh: is more than max_refresh; make the one the lesser',
  ],
])('a bundle endpoint %s is refused', (_, endpoint, problem) => {
  const [only, ...others] = reported(withEndpoint(endpoint));
  expect(only!.replace(/^1:[0-9]+ /, '')).toBe(`identity.trust_domains["example.org"].federation.${problem}`);
  expect(others).toEqual([]);
});

test('bundle endpoints that verify each other in a circle are refused, each of them', () => {
  const of = (other: string) =>
    `{ federation: { url: https://b/, profile: https_spiffe, endpoint_spiffe_id: spiffe://${other}/b } }`;
  const text = `identity: { trust_domains: { a: ${of('b')}, b: ${of('c')}, c: ${of('a')}, d: ${of('a')} } }\npolicy: { path: p }\ntoken: { mode: "off" }\n`;
  expect(reported(text).map((problem) => problem.replace(/^1:[0-9]+ /, ''))).toEqual(
    ['a', 'b', 'c'].map(
      (name) =>
        `identity.trust_domains.${name}.federation.endpoint_spiffe_id: leads in a circle, in which no domain can be the first; give one of them another source`,
    ),
  );
});

test('the paths of a bundle endpoint are relative to the file', () => {
  const parse = (endpoint: string) => {
    const config = parseConfig(withEndpoint(endpoint), { file: '/etc/countersign/c.yaml', env: {} });
    if (config instanceof ConfigError) throw config;
    return config.identity.trust_domains['example.org'];
  };
  expect(parse('{ url: https://b/, profile: https_web, ca: ca.pem }')).toEqual({
    federation: {
      url: 'https://b/',
      profile: 'https_web',
      ca: '/etc/countersign/ca.pem',
      min_refresh: 30_000,
      max_refresh: 3_600_000,
    },
  });
  expect(
    parse(
      '{ url: https://b/, profile: https_spiffe, endpoint_spiffe_id: spiffe://example.org/b, bootstrap: ./b.json }',
    ),
  ).toMatchObject({ federation: { bootstrap: '/etc/countersign/b.json' } });
});
