import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { loadConfig, parseConfig } from '../../src/config/load.js';
import { ConfigError } from '../../src/config/problem.js';
import { configText, FILE, parsed } from './support.js';

const DPOP = {
  algorithms: ['ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512', 'RS256', 'RS384', 'RS512', 'Ed25519'],
  max_age: 60_000,
  clock_skew: 5_000,
  nonce: 'auto',
  nonce_lifetime: 300_000,
};

test('what is left out has its default, durations in milliseconds', () => {
  expect(parsed(configText())).toEqual({
    listen: {
      grpc: '127.0.0.1:9191',
      socket_mode: '0660',
      admin: '127.0.0.1:8181',
      max_connection_age: 'auto',
      max_connection_age_grace: 30_000,
    },
    identity: {
      source: 'certificate',
      max_stale: 86_400_000,
      workload_api: { federated: 'listed', refresh: 60_000 },
      kubernetes: { path_template: '/ns/{namespace}/sa/{service_account}' },
      trust_domains: { 'example.org': { bundle: '/etc/countersign/example.org.pem' } },
    },
    token: {
      mode: 'required',
      max_bytes: 8192,
      binding: 'optional',
      dpop: DPOP,
      delegation: { max_depth: 4 },
      issuers: [
        {
          issuer: 'https://idp.example.org',
          audiences: ['orders'],
          jwks: '/etc/countersign/jwks.json',
          algorithms: ['RS256', 'ES256'],
          profile: 'at+jwt',
          accepted_as: ['access_token'],
          claims: { scopes: ['scope', 'scp'], roles: ['roles'], groups: ['groups'] },
          max_lifetime: 3_600_000,
          clock_skew: 0,
          jwks_refresh: 300_000,
          jwks_cooldown: 30_000,
          jwks_max_stale: 3_600_000,
        },
      ],
    },
    revocation: { max_entries: 100_000 },
    workers: 1,
    policy: {
      path: '/etc/countersign/policies',
      entrypoint: 'mesh/authz/decision',
      entrypoints: [],
      allow_request_target_rewrite: false,
    },
    decision_log: { enabled: true, include_body: false, mask: [] },
    log: { level: 'info' },
    shutdown_grace: 10_000,
  });
});

test('tokens may be off without an issuer', () => {
  const text =
    'identity: { trust_domains: { a: { bundle: a.pem } } }\npolicy: { path: p }\ntoken: { mode: off }\n';
  expect(parsed(text).token).toEqual({
    mode: 'off',
    max_bytes: 8192,
    binding: 'optional',
    dpop: DPOP,
    delegation: { max_depth: 4 },
    issuers: [],
  });
});

test('a trust domain may have a name that objects have too, or that looks like a number', () => {
  const domains = parsed(
    configText()
      .replace('example.org:', 'constructor:')
      .replace('policy:', '    1.10: { bundle: b }\npolicy:'),
  ).identity.trust_domains;
  expect(Object.keys(domains)).toEqual(['constructor', '1.10']);
});

describe('paths', () => {
  const jwks = (location: string) => parsed(configText({ jwks: location })).token.issuers[0]?.jwks;

  test('are taken from the folder of the file, absolute ones as they are', () => {
    expect(jwks('../keys/a.json')).toBe('/etc/keys/a.json');
    expect(jwks('/keys/a.json')).toBe('/keys/a.json');
  });

  test('that are URLs or discovery stay what they are', () => {
    expect(jwks('https://idp.example.org/keys')).toBe('https://idp.example.org/keys');
    expect(jwks('discovery')).toBe('discovery');
  });

  test('of a file with a relative name are absolute too', () => {
    const config = parseConfig(configText(), { file: 'conf/c.yaml', env: {} });
    expect(config).toMatchObject({ policy: { path: join(process.cwd(), 'conf', 'policies') } });
  });
});

test('a duration, an address and a pointer are taken in all their forms', () => {
  const config = parsed(
    configText({
      issuer: 'clock_skew: 5m',
      rest: [
        'listen: { grpc: "unix:///run/c.sock", admin: off }',
        'shutdown_grace: 250ms',
        'decision_log: { mask: [/input/a~1b/~0c, /result/x] }',
      ].join('\n'),
    }),
  );
  expect(config.token.issuers[0]?.clock_skew).toBe(300_000);
  expect(config.shutdown_grace).toBe(250);
  expect(config.listen).toMatchObject({ grpc: 'unix:///run/c.sock', admin: 'off' });
  expect(config.decision_log.mask).toEqual(['/input/a~1b/~0c', '/result/x']);
});

describe('a file', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'countersign-config-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  async function failure(file: string): Promise<unknown> {
    return loadConfig(file, {}).then(
      () => 'loaded',
      (error: unknown) => error,
    );
  }

  test('is read, its variables and its relative paths filled in', async () => {
    const file = join(folder, 'good.yaml');
    await writeFile(file, configText({ rest: 'log:\n  level: ${LEVEL}' }));
    const config = await loadConfig(file, { LEVEL: 'debug' });
    expect(config.log.level).toBe('debug');
    expect(config.policy.path).toBe(join(folder, 'policies'));
  });

  test('with something wrong in it rejects with file, line and column', async () => {
    const file = join(folder, 'bad.yaml');
    await writeFile(file, configText({ rest: 'workers: 0' }));
    const error = await failure(file);
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as Error).message.startsWith(`${file}:10:10: workers: \`0\` is no number of workers`)).toBe(
      true,
    );
  });

  test('that is not there, is a folder, or is not UTF-8 says so', async () => {
    const latin1 = join(folder, 'latin1.yaml');
    await writeFile(latin1, Buffer.from([0x61, 0x3a, 0x20, 0xe9]));
    const missing = join(folder, 'missing.yaml');
    expect(await failure(missing)).toMatchObject({
      message: `${missing}: there is no such file; give the path of the configuration file`,
    });
    expect(await failure(folder)).toMatchObject({ problems: [{ wrong: 'this is a folder' }] });
    expect(await failure(latin1)).toMatchObject({ problems: [{ wrong: 'the file is not UTF-8' }] });
  });
});

test('no text makes it throw, and what it refuses it gives a place and a mend', () => {
  const good = configText({ issuer: 'algorithms: [RS256, "${ALG}"]', rest: 'log: &l { level: info }' });
  const piece = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 12 }),
    fc.constantFrom(
      '${',
      '${A}',
      '"',
      '[',
      '{',
      '\n',
      '\t',
      '- ',
      ': ',
      '*l',
      '&l ',
      '? ',
      '!!x ',
      '#',
      '---\n',
      '<<: ',
      '__proto__: ',
    ),
  );
  const mutated = fc
    .tuple(fc.nat(good.length), fc.nat(8), piece)
    .map(([at, cut, text]) => good.slice(0, at) + text + good.slice(at + cut));
  fc.assert(
    fc.property(
      fc.oneof(
        mutated,
        fc.array(piece).map((pieces) => pieces.join('')),
      ),
      (text) => {
        const outcome = parseConfig(text, { file: FILE, env: { ALG: 'ES256' } });
        if (!(outcome instanceof ConfigError)) return;
        expect(outcome.problems.length).toBeGreaterThan(0);
        for (const { line, column, wrong, mend } of outcome.problems) {
          expect([line! > 0, column! > 0, wrong !== '', mend !== '']).toEqual([true, true, true, true]);
        }
      },
    ),
    { numRuns: 600 },
  );
});
