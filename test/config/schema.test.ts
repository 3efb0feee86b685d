import { configText, problems, reported } from './support.js';

const issuer = (line: string) => configText({ issuer: line });
const rest = (line: string) => configText({ rest: line });
const instead = (old: string, text: string) => configText().replace(old, text);

const RANGE = 'is out of range; write a duration from';
const ALGORITHMS =
  'write some of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, Ed25519';

const BAD: readonly [title: string, text: string, problem: string][] = [
  // listen
  [
    'a grpc address without a port',
    rest('listen: { grpc: localhost }'),
    '10:17 listen.grpc: `localhost` is not an address to listen on; write host:port, as in 127.0.0.1:9191',
  ],
  [
    'an admin address on a Unix socket',
    rest('listen: { admin: "unix:///a.sock" }'),
    '10:18 listen.admin: `"unix:///a.sock"` is a Unix socket, where health and metrics are not served; write host:port, or off',
  ],
  [
    'an admin address that is false',
    rest('listen: { admin: false }'),
    '10:18 listen.admin: has to be text, and is true or false; put it in quotes: "false"',
  ],
  [
    'listen as a text',
    rest('listen: 127.0.0.1:1'),
    '10:9 listen: has to be a mapping, and is text; write keys and values below it',
  ],
  [
    'a section without a value',
    rest('listen:'),
    '10:1 listen: has no value; give it one, or leave the key out where it has a default',
  ],
  // identity
  [
    'no identity',
    instead(/^identity:\n.*\n.*\n/.exec(configText())![0], ''),
    '1:1 identity: is missing; add the key; it has no default',
  ],
  [
    'xfcc without a word on whose',
    instead('identity:', 'identity:\n  source: xfcc'),
    '1:1 identity.xfcc: is missing, while source is xfcc; add it, with the SPIFFE IDs of the proxies that the header may come from',
  ],
  [
    'a JWT-SVID where access tokens are',
    instead(
      'identity:',
      'identity:\n  source: jwt_svid\n  jwt_svid: { header: authorization, audiences: [mesh] }',
    ),
    '3:23 identity.jwt_svid.header: is where access tokens are, while token.mode is not off; give JWT-SVIDs a header of their own, or set token.mode to off',
  ],
  [
    'a header that is none',
    instead('identity:', 'identity:\n  source: jwt_svid\n  jwt_svid: { header: X-Svid, audiences: [mesh] }'),
    '3:23 identity.jwt_svid.header: `X-Svid` is not the name of a header; write it in small letters, such as x-spiffe-jwt-svid',
  ],
  [
    'a section of another source',
    instead('identity:', 'identity:\n  xfcc: { from: [unauthenticated] }'),
    '2:9 identity.xfcc: says nothing, while source is certificate; leave it out, or set source to xfcc',
  ],
  [
    'xfcc from what is no workload',
    instead('identity:', 'identity:\n  source: xfcc\n  xfcc: { from: [spiffe://example.org/../a] }'),
    '3:18 identity.xfcc.from[0]: `spiffe://example.org/../a` is neither the SPIFFE ID of a workload nor unauthenticated; write an ID such as spiffe://example.org/ns/edge/sa/gateway',
  ],
  [
    'a template of another form',
    instead('identity:', "identity:\n  kubernetes: { path_template: '/ns-{namespace}/{service_account}' }"),
    "2:32 identity.kubernetes.path_template: `'/ns-{namespace}/{service_account}'` is not a template of a path; write whole segments, with {namespace} and {service_account} once each and * for any one, as in /ns/{namespace}/sa/{service_account}",
  ],
  [
    'an unknown identity source',
    instead('identity:', 'identity:\n  source: header'),
    '2:11 identity.source: `header` is not one of its values; write certificate, xfcc, jwt_svid or wimse',
  ],
  [
    'no trust domain',
    instead('\n    example.org: { bundle: ./example.org.pem }', ' {}'),
    '2:18 identity.trust_domains: names no trust domain; add one, with the source of its bundle',
  ],
  [
    'trust domains as a list',
    instead('\n    example.org: { bundle: ./example.org.pem }', ' [a]'),
    '2:18 identity.trust_domains: has to be a mapping, and is a list; write keys and values below it',
  ],
  [
    'a trust domain in upper case',
    instead('example.org:', 'Example.org:'),
    '3:5 identity.trust_domains["Example.org"]: `Example.org` is not the name of a trust domain; write 1 to 255 of a-z, 0-9, dot, hyphen and underscore, without spiffe://',
  ],
  [
    'a trust domain with its scheme',
    instead('example.org:', '"spiffe://example.org":'),
    '3:5 identity.trust_domains["spiffe://example.org"]: `"spiffe://example.org"` is not the name of a trust domain; write 1 to 255 of a-z, 0-9, dot, hyphen and underscore, without spiffe://',
  ],
  [
    'a trust domain of 256 letters',
    instead('example.org:', `${'a'.repeat(256)}:`),
    `3:5 identity.trust_domains.${'a'.repeat(256)}: is not the name of a trust domain; write 1 to 255 of a-z, 0-9, dot, hyphen and underscore, without spiffe://`,
  ],
  [
    'a trust domain called __proto__',
    instead('example.org:', 'a: { bundle: b }\n    __proto__:'),
    '4:5 identity.trust_domains.__proto__: this name cannot be a key; choose another name',
  ],
  [
    'a trust domain without a bundle',
    instead('{ bundle: ./example.org.pem }', '{}'),
    '3:18 identity.trust_domains["example.org"]: has no source of its bundle; add one of bundle, workload_api, federation',
  ],
  [
    'a trust domain with two sources',
    instead('pem }', 'pem, workload_api: true }'),
    '3:61 identity.trust_domains["example.org"].workload_api: stands beside bundle; leave one: bundles are never merged',
  ],
  [
    'a trust domain that has no use for the Workload API but says so',
    instead('bundle: ./example.org.pem', 'workload_api: false'),
    '3:34 identity.trust_domains["example.org"].workload_api: `false` is not one of its values; write true',
  ],
  [
    'a Workload API on a TCP port',
    instead('identity:', 'identity:\n  workload_api: { socket: tcp://127.0.0.1:8000 }'),
    '2:27 identity.workload_api.socket: `tcp://127.0.0.1:8000` is a TCP address, behind which anybody may listen; write unix:// and an absolute path: unix:///run/spire/agent.sock',
  ],
  [
    'a Workload API at a path without its scheme',
    instead('identity:', 'identity:\n  workload_api: { socket: /run/spire/agent.sock }'),
    '2:27 identity.workload_api.socket: `/run/spire/agent.sock` is no socket; write unix:// and an absolute path: unix:///run/spire/agent.sock',
  ],
  [
    'a bundle that is a URL',
    instead('./example.org.pem', 'https://example.org/bundle'),
    '3:28 identity.trust_domains["example.org"].bundle: is a URL; write the path of a file',
  ],
  // token
  [
    'an unknown token mode',
    instead('token:', 'token:\n  mode: strict'),
    '6:9 token.mode: `strict` is not one of its values; write required, optional or off',
  ],
  [
    'no issuers while tokens are required',
    'identity: { trust_domains: { a: { bundle: b } } }\npolicy: { path: p }\n',
    '1:1 token.issuers: names no issuer, while mode is not off; add an issuer, or set mode to off',
  ],
  [
    'an empty list of issuers while tokens are optional',
    'identity: { trust_domains: { a: { bundle: b } } }\npolicy: { path: p }\ntoken: { mode: optional, issuers: [] }\n',
    '3:35 token.issuers: names no issuer, while mode is not off; add an issuer, or set mode to off',
  ],
  [
    'a token limit of nothing',
    instead('token:', 'token:\n  max_bytes: 0'),
    '6:14 token.max_bytes: `0` is too small; write 1 or more',
  ],
  [
    'a token limit of more than a megabyte',
    instead('token:', 'token:\n  max_bytes: 1048577'),
    '6:14 token.max_bytes: `1048577` is too large; write 1048576 or less',
  ],
  [
    'a token limit with a fraction',
    instead('token:', 'token:\n  max_bytes: 1.5'),
    '6:14 token.max_bytes: has to be a whole number, and is a number; write a whole number, without quotes',
  ],
  [
    'an infinite token limit',
    instead('token:', 'token:\n  max_bytes: .inf'),
    '6:14 token.max_bytes: has to be a whole number, and is a number; write a whole number, without quotes',
  ],
  [
    'an issuer without audiences',
    instead('      audiences: [orders]\n', ''),
    '7:7 token.issuers[0].audiences: is missing; add the key; it has no default',
  ],
  [
    'an empty list of audiences',
    instead('[orders]', '[]'),
    '8:18 token.issuers[0].audiences: is an empty list; list at least one',
  ],
  [
    'an empty audience',
    instead('[orders]', '[""]'),
    '8:19 token.issuers[0].audiences[0]: is empty; write a value',
  ],
  [
    'a single audience',
    instead('[orders]', 'orders'),
    '8:18 token.issuers[0].audiences: has to be a list, and is text; write it as a list, even for one entry: [ … ]',
  ],
  [
    'an empty issuer',
    instead('https://idp.example.org', '""'),
    '7:15 token.issuers[0].issuer: is empty; write a value',
  ],
  [
    'a JWKS URL on plain http',
    configText({ jwks: 'http://idp.example.org/keys' }),
    '9:13 token.issuers[0].jwks: is a plain http URL to another host; use https (http is for loopback addresses only)',
  ],
  [
    'discovery of an issuer on plain http',
    configText({ jwks: 'discovery' }).replace('https:', 'http:'),
    '7:15 token.issuers[0].issuer: cannot be discovered: it is a plain http URL to another host; use https (http is for loopback addresses only), or give jwks a file or a URL',
  ],
  [
    'the algorithm none',
    issuer('algorithms: [none]'),
    `10:20 token.issuers[0].algorithms[0]: \`none\` means unsigned: such tokens are never accepted; ${ALGORITHMS}`,
  ],
  [
    'the algorithm noNE',
    issuer('algorithms: [ES256, noNE]'),
    `10:27 token.issuers[0].algorithms[1]: \`noNE\` means unsigned: such tokens are never accepted; ${ALGORITHMS}`,
  ],
  [
    'an HMAC algorithm',
    issuer('algorithms: [HS256]'),
    `10:20 token.issuers[0].algorithms[0]: \`HS256\` is an HMAC: whoever can verify it can also mint tokens; ${ALGORITHMS}`,
  ],
  [
    'an algorithm in lower case',
    issuer('algorithms: [es256]'),
    `10:20 token.issuers[0].algorithms[0]: \`es256\` is no algorithm that tokens may be signed with; ${ALGORITHMS}`,
  ],
  [
    'no algorithm',
    issuer('algorithms: []'),
    '10:19 token.issuers[0].algorithms: is an empty list; list at least one',
  ],
  [
    'an unknown profile',
    issuer('profile: id+jwt'),
    '10:16 token.issuers[0].profile: `id+jwt` is not one of its values; write at+jwt or jwt',
  ],
  [
    'more than five minutes of clock skew',
    issuer('clock_skew: 301s'),
    `10:19 token.issuers[0].clock_skew: \`301s\` ${RANGE} 0s to 5m`,
  ],
  [
    'a refresh that no timer can count',
    issuer('jwks_refresh: 30d'),
    `10:21 token.issuers[0].jwks_refresh: \`30d\` ${RANGE} 100ms to 7d`,
  ],
  [
    'no cool-down',
    issuer('jwks_cooldown: 0s'),
    `10:22 token.issuers[0].jwks_cooldown: \`0s\` ${RANGE} 100ms to 7d`,
  ],
  [
    'keys that may be stale for a month',
    issuer('jwks_max_stale: 31d'),
    `10:23 token.issuers[0].jwks_max_stale: \`31d\` ${RANGE} 0s to 7d`,
  ],
  [
    'tokens that may live for no time',
    issuer('max_lifetime: 0s'),
    `10:21 token.issuers[0].max_lifetime: \`0s\` ${RANGE} 1s to 365d`,
  ],
  [
    'a duration without a unit',
    issuer('max_lifetime: 3600'),
    '10:21 token.issuers[0].max_lifetime: has to be text, and is a number; put it in quotes: "3600"',
  ],
  [
    'a duration in words',
    issuer('max_lifetime: 1 hour'),
    '10:21 token.issuers[0].max_lifetime: `1 hour` is not a duration; write a whole number and a unit: 250ms, 30s, 5m, 1h, 7d',
  ],
  // the rest
  [
    'no worker',
    rest('workers: 0'),
    '10:10 workers: `0` is no number of workers; write a whole number from 1 to 256, or auto',
  ],
  [
    'half a worker',
    rest('workers: 1.5'),
    '10:10 workers: `1.5` is no number of workers; write a whole number from 1 to 256, or auto',
  ],
  [
    'workers in words',
    rest('workers: many'),
    '10:10 workers: `many` is no number of workers; write a whole number from 1 to 256, or auto',
  ],
  [
    'a list of workers',
    rest('workers: [2]'),
    '10:10 workers: is no number of workers; write a whole number from 1 to 256, or auto',
  ],
  [
    'an age of connections in words',
    rest('listen: { max_connection_age: never }'),
    '10:31 listen.max_connection_age: `never` is not a duration; write a whole number and a unit: 250ms, 30s, 5m, 1h, 7d, or auto, or off',
  ],
  [
    'an age of connections that is none',
    rest('listen: { max_connection_age: 10ms }'),
    '10:31 listen.max_connection_age: `10ms` is out of range; write a duration from 1s to 7d, or auto, or off',
  ],
  [
    'no policy',
    instead('policy: { path: ./policies }\n', ''),
    '1:1 policy: is missing; add the key; it has no default',
  ],
  [
    'a policy without a path',
    instead('{ path: ./policies }', '{}'),
    '4:9 policy: names no policy that decides; add path, or an entry of bundles',
  ],
  [
    'an entrypoint with dots',
    instead('./policies', './policies, entrypoint: data.mesh.authz'),
    '4:41 policy.entrypoint: `data.mesh.authz` is not an entrypoint; write package and rule with slashes: mesh/authz/decision',
  ],
  [
    'an entrypoint with a slash in front',
    instead('./policies', './policies, entrypoints: [/mesh/a]'),
    '4:43 policy.entrypoints[0]: `/mesh/a` is not an entrypoint; write package and rule with slashes: mesh/authz/decision',
  ],
  [
    'a switch that says yes',
    instead('./policies', './policies, allow_request_target_rewrite: yes'),
    '4:59 policy.allow_request_target_rewrite: has to be true or false, and is text; write true or false, without quotes',
  ],
  [
    'a mask outside the event',
    rest('decision_log: { mask: [/labels/a] }'),
    '10:24 decision_log.mask[0]: `/labels/a` is not a JSON pointer into the event; start it with /input/ or /result/, as in /input/token/claims/email',
  ],
  [
    'a mask of the whole input',
    rest('decision_log: { mask: [/input/] }'),
    '10:24 decision_log.mask[0]: `/input/` is not a JSON pointer into the event; start it with /input/ or /result/, as in /input/token/claims/email',
  ],
  [
    'a mask with a bad escape',
    rest('decision_log: { mask: [/input/a~2] }'),
    '10:24 decision_log.mask[0]: `/input/a~2` is not a JSON pointer into the event; start it with /input/ or /result/, as in /input/token/claims/email',
  ],
  [
    'an unknown log level',
    rest('log: { level: verbose }'),
    '10:15 log.level: `verbose` is not one of its values; write trace, debug, info, warn, error or fatal',
  ],
  ['a day of grace', rest('shutdown_grace: 1d'), `10:17 shutdown_grace: \`1d\` ${RANGE} 0s to 1h`],
];

test.each(BAD)('%s is refused', (_, text, problem) => {
  expect(reported(text)).toEqual([problem]);
});

test('one issuer twice is refused at the second', () => {
  const again = '    - { issuer: "https://idp.example.org", audiences: [b], jwks: b.json }';
  expect(reported(rest(again))).toEqual([
    '10:17 token.issuers[1].issuer: is the issuer of issuers[0] again; make the two one entry',
  ]);
});

test('two issuers that differ by a slash at the end are two', () => {
  const other = '    - { issuer: "https://idp.example.org/", audiences: [b], jwks: b.json }\nworkers: 0';
  expect(problems(rest(other)).map(({ key }) => key)).toEqual(['workers']);
});

describe('an unknown key', () => {
  test.each([
    ['at the top', rest('tokens: {}'), '10:1 tokens: is not a key; did you mean token?'],
    [
      'of an issuer',
      issuer('audience: b'),
      '10:7 token.issuers[0].audience: is not a key; did you mean audiences?',
    ],
    [
      'of a trust domain',
      instead('{ bundle: ', '{ bundel: a, bundle: '),
      '3:20 identity.trust_domains["example.org"].bundel: is not a key; did you mean bundle?',
    ],
    [
      'that is nothing like one',
      rest('log: { colour: red }'),
      '10:8 log.colour: is not a key; the keys here are level',
    ],
    [
      'that merges, as YAML 1.1 did',
      rest('<<: { workers: 1 }'),
      '10:1 ["<<"]: is not a key; the keys here are listen, identity, token, revocation, workers, policy, broker, decision_log, log, shutdown_grace',
    ],
  ])('%s is refused, with what was meant', (_, text, problem) => {
    expect(reported(text)).toEqual([problem]);
  });
});

test('all that is wrong comes at once, in the order of the file', () => {
  const text = [
    'listen: { grpc: here, portt: 1 }',
    'identity:',
    '  trust_domains: { A: { bundle: a }, b: {} }',
    'token:',
    '  mode: maybe',
    '  issuers:',
    '    - { issuer: http://idp.example, jwks: discovery, algorithms: [none] }',
    '    - { issuer: http://idp.example, audiences: [a], jwks: http://idp.example }',
    'policy: { path: "${UNSET}", entrypoint: a.b }',
    'wrokers: 1',
  ].join('\n');
  expect(problems(text).map(({ line, key }) => `${line} ${key}`)).toEqual([
    '1 listen.grpc',
    '1 listen.portt',
    '3 identity.trust_domains.A',
    '3 identity.trust_domains.b',
    '5 token.mode',
    '7 token.issuers[0].audiences',
    '7 token.issuers[0].issuer',
    '7 token.issuers[0].algorithms[0]',
    '8 token.issuers[1].issuer',
    '8 token.issuers[1].jwks',
    '9 policy.path',
    '9 policy.entrypoint',
    '10 wrokers',
  ]);
});
