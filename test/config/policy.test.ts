import { configJsonSchema } from '../../src/config/json-schema.js';
import { parsed, reported } from './support.js';

const file = (policy: string) =>
  `identity: { trust_domains: { example.org: { bundle: ./root.pem } } }\ntoken: { mode: "off" }\npolicy:\n${policy
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n')}\n`;
const wrong = (policy: string) => reported(file(policy)).map((text) => text.replace(/^\d+:\d+ /, ''));

const SERVICE = 'services: { control: { url: https://bundles.example.org } }';
const KEYS = 'keys: { k1: { algorithm: ES256, key: ./pub.pem } }';

describe('where a policy comes from', () => {
  test('may be bundles of a service and of files, whose paths are made absolute', () => {
    const { policy } = parsed(
      file(`services:
  control:
    url: http://127.0.0.1:8080/v1
    ca: ./ca.pem
    credentials:
      bearer: { token_path: ./token }
      client_tls: { cert: ./c.pem, private_key: ./k.pem }
${KEYS}
persistence_directory: ./kept
bundles:
  a: { service: control, persist: true, signing: { keyid: k1, scope: s } }
  b: { path: ./b.tar.gz, signing: {} }
shadow: { bundle: b, share: 0.5 }`),
    );
    expect(policy).toMatchObject({
      services: {
        control: {
          ca: '/etc/countersign/ca.pem',
          timeout: 30_000,
          credentials: {
            bearer: { token_path: '/etc/countersign/token' },
            client_tls: { cert: '/etc/countersign/c.pem', private_key: '/etc/countersign/k.pem' },
          },
        },
      },
      keys: { k1: { key: '/etc/countersign/pub.pem' } },
      persistence_directory: '/etc/countersign/kept',
      bundles: {
        a: {
          polling: { min_delay: 60_000, max_delay: 120_000, long_polling_timeout: 0 },
          size_limit_bytes: 268_435_456,
        },
        b: { path: '/etc/countersign/b.tar.gz' },
      },
      shadow: { share: 0.5 },
    });
  });

  test.each([
    ['both', `path: ./p\nbundles: { a: { path: ./a.tar.gz } }`, /policy\.path: stands beside bundles/],
    [
      'a bundle for the shadow alone',
      `bundles: { a: { path: ./a } }\nshadow: { bundle: a }`,
      /policy: names no policy that decides/,
    ],
    ['a bundle from nowhere', 'bundles: { a: {} }', /policy\.bundles\.a: has neither path nor service/],
    [
      'a bundle from two places',
      `${SERVICE}\nbundles: { a: { path: ./a, service: control } }`,
      /policy\.bundles\.a\.path: stands beside service/,
    ],
    [
      'a service that is not there',
      'bundles: { a: { service: x } }',
      /policy\.bundles\.a\.service: is not one of policy\.services/,
    ],
    [
      'a service with a name of JavaScript',
      'services: {}\nbundles: { a: { service: constructor } }',
      /service: is not one of policy\.services/,
    ],
    [
      'a delay that ends before it begins',
      `${SERVICE}\nbundles: { a: { service: control, polling: { min_delay: 3m } } }`,
      /policy\.bundles\.a\.polling\.min_delay: is more than max_delay/,
    ],
    [
      'nowhere to keep a bundle',
      `${SERVICE}\nbundles: { a: { service: control, persist: true } }`,
      /persist: has no place/,
    ],
    [
      'a shadow from two places',
      'path: ./p\nshadow: { path: ./q, bundle: a }',
      /policy\.shadow: has not exactly one of path and bundle/,
    ],
    [
      'a shadow of no bundle',
      'path: ./p\nshadow: { bundle: toString }',
      /policy\.shadow\.bundle: is not one of policy\.bundles/,
    ],
    [
      'a URL with a password',
      `services: { s: { url: https://u:p@x } }\npath: ./p`,
      /url: is a URL with a user name or a password/,
    ],
    ['a name that leads out of a folder', 'bundles: { "../a": { path: ./a } }', /is not a name/],
  ])('is not %s', (_what, policy, problem) =>
    expect(wrong(policy)).toContainEqual(expect.stringMatching(problem)),
  );
});

describe('signatures, once there is a key,', () => {
  test.each([
    ['a folder', `${KEYS}\npath: ./p`, /policy\.path: is not signed, while signatures are required/],
    [
      'a bundle that says nothing of them',
      `${KEYS}\nbundles: { a: { path: ./a } }`,
      /policy\.bundles\.a: has no signing, while signatures are required/,
    ],
    [
      'a key that is not there',
      `${KEYS}\nbundles: { a: { path: ./a, signing: { keyid: k2 } } }`,
      /signing\.keyid: is not one of policy\.keys/,
    ],
    ['no key', 'bundles: { a: { path: ./a, signing: {} } }', /signing: has no key to verify with/],
    [
      'no key, though they are required',
      'signing: { required: true }\nbundles: { a: { path: ./a, signing: {} } }',
      /is true, while there is no key/,
    ],
    [
      'plain http without them',
      'services: { s: { url: http://bundles.example.org } }\nbundles: { a: { service: s } }',
      /service: is reached by plain http/,
    ],
    [
      'plain http with credentials',
      `services: { s: { url: http://bundles.example.org, credentials: { bearer: { token_path: ./t } } } }\n${KEYS}\nbundles: { a: { service: s, signing: {} } }`,
      /service: is reached by plain http/,
    ],
  ])('trap 98: do not go with %s', (_what, policy, problem) =>
    expect(wrong(policy)).toContainEqual(expect.stringMatching(problem)),
  );

  test('go with plain http, which cannot change them, and may be given up in so many words', () => {
    expect(() =>
      parsed(
        file(
          `services: { s: { url: http://bundles.example.org } }\n${KEYS}\nbundles: { a: { service: s, signing: {} } }`,
        ),
      ),
    ).not.toThrow();
    expect(() => parsed(file(`${KEYS}\nsigning: { required: false }\npath: ./p`))).not.toThrow();
  });
});

test('the JSON Schema for editors has all of it', () => {
  expect(configJsonSchema().properties!.policy!.properties).toHaveProperty('bundles');
});
