import { parseConfig } from '../../src/config/load.js';
import { ConfigError } from '../../src/config/problem.js';

const FILE = '/etc/countersign/countersign.yaml';

function parsed(server: string, more = '', identity = '') {
  const text = `
identity: { trust_domains: { example.org: { bundle: roots.pem } }, ${identity} }
policy: { path: . }
token: { ${more} issuers: [{ issuer: "https://idp.example.org", audiences: [orders], jwks: discovery }] }
broker: { servers: { idp: { ${server} } } }
`;
  return parseConfig(text, { file: FILE, env: {} });
}

const GOOD = {
  issuer: '"https://idp.example.org"',
  grant: 'token_exchange',
  audiences: '["https://billing.example.org"]',
  client_id: 'countersign',
  client_authentication: '{ secret_file: ./secret }',
};
const server = (more: Record<string, string | undefined> = {}) =>
  Object.entries({ ...GOOD, ...more })
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}: ${value}`)
    .join(', ');

function problems(...args: Parameters<typeof parsed>): string {
  const outcome = parsed(...args);
  return outcome instanceof ConfigError ? outcome.message : 'valid';
}

test('a server has defaults, and its files stand beside the configuration', () => {
  const config = parsed(server({ ca: './ca.pem' }));
  expect(config instanceof ConfigError ? config.message : config.broker).toEqual({
    cache_size: 10_000,
    servers: {
      idp: {
        issuer: 'https://idp.example.org',
        token_endpoint: 'discovery',
        grant: 'token_exchange',
        audiences: ['https://billing.example.org'],
        audience_parameter: 'resource',
        scopes: [],
        header: 'authorization',
        client_id: 'countersign',
        client_authentication: { method: 'client_secret_basic', secret_file: '/etc/countersign/secret' },
        ca: '/etc/countersign/ca.pem',
        max_lifetime: 3_600_000,
        min_remaining: 10_000,
        timeout: 2_000,
        max_concurrent: 32,
      },
    },
  });
});

test.each([
  [{ audiences: '[]' }, 'broker.servers.idp.audiences'],
  [
    { audiences: '[billing]' },
    'audiences[0]: is no absolute URI, as a resource is (RFC 8707); write one, or set audience_parameter to audience',
  ],
  [{ scopes: '["a b"]' }, 'is no scope'],
  [{ header: 'Cookie' }, 'is no name of a header for a token'],
  [{ header: 'x-countersign-token' }, 'none that HTTP, Envoy or Countersign use themselves'],
  [{ header: 'connection' }, 'is no name of a header for a token'],
  [{ header: 'content-length' }, 'is no name of a header for a token'],
  [{ header: 'x-forwarded-client-cert' }, 'is no name of a header for a token'],
  [{ assertion: 'own' }, 'is nothing that token_exchange uses; leave it out, or set grant to jwt_bearer'],
  [{ grant: 'client_credentials', subject_token_type: 'jwt' }, 'is nothing that client_credentials uses'],
  [{ grant: 'jwt_bearer', assertion: 'callers' }, 'while identity.source is not jwt_svid'],
  [{ token_endpoint: '"http://idp.example.org/token"' }, 'is a plain http URL to another host'],
  [{ issuer: 'idp' }, 'cannot be discovered: it is not a URL; write an https:// URL, or give token_endpoint'],
  [{ client_authentication: undefined }, 'client_authentication: is missing'],
  [
    { client_authentication: '{ method: private_key_jwt }' },
    'lacks what private_key_jwt needs; add private_key',
  ],
])('%j is refused', (more, problem) => {
  expect(problems(server(more))).toContain(problem);
});

test('what is exchanged has to be looked at', () => {
  expect(problems(server(), 'mode: "off",')).toContain('exchanges access tokens, while token.mode is off');
  expect(problems(server({ grant: 'client_credentials' }), 'mode: "off",')).toBe('valid');
});

test("a caller's JWT-SVID is shown where identity is read from one", () => {
  const identity = 'source: jwt_svid, jwt_svid: { audiences: [mesh] }';
  expect(problems(server({ grant: 'jwt_bearer', assertion: 'callers' }), '', identity)).toBe('valid');
});

test('an audience of another kind goes into audience', () => {
  expect(problems(server({ audiences: '[billing]', audience_parameter: 'audience' }))).toBe('valid');
});
