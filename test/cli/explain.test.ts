import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { folderOf, removeFolders, runCli } from './run-cli.js';

afterAll(removeFolders);

const FRONTEND = 'spiffe://example.org/ns/shop/sa/frontend';

const ORDERS = `package mesh.authz

default decision := {"allowed": false, "reason": "no rule allows it"}

decision := {"allowed": true, "headers": {"x-tenant": input.token.claims.tenant}} if allowed

allowed if {
	some route in routes
	route.scope in input.token.scopes
}

routes contains route if {
	some route in data.mesh.routes
	route.method == input.request.method
	under(route.path, input.request.path)
}

under(prefix, path) if path == prefix

under(prefix, path) if startswith(path, concat("", [prefix, "/"]))
`;

const ROUTES = JSON.stringify({
  routes: [
    { method: 'GET', path: '/orders', scope: 'orders:read' },
    { method: 'POST', path: '/orders', scope: 'orders:write' },
  ],
});

const orders = () => folderOf({ 'mesh/authz.rego': ORDERS, 'mesh/data.json': ROUTES });

/** Explains one rule of a package `t` for an input. */
async function explain(rules: string, rule: string, input: object, more: readonly string[] = []) {
  const folder = await folderOf({ 't.rego': `package t\n\n${rules}\n`, 'input.file': JSON.stringify(input) });
  const result = await runCli([
    'explain',
    ...['--policy', folder, '--entrypoint', `t/${rule}`, '--input', join(folder, 'input.file')],
    ...more,
  ]);
  expect(result.stderr).toBe('');
  return result.stdout;
}

describe('countersign explain --input', () => {
  test('shows each definition, the expression that failed first with its values and line, and what it called', async () => {
    const folder = await orders();
    await writeFile(
      join(folder, 'in'),
      JSON.stringify({
        request: { method: 'POST', path: '/orders/7' },
        token: { scopes: ['orders:read'] },
      }),
    );
    const { code, stdout } = await runCli(['explain', '--policy', folder, '--input', join(folder, 'in')]);
    expect(code).toBe(0);
    expect(stdout).toBe(`decision = {"allowed": false, "reason": "no rule allows it"}, its default
  ✗ decision := {"allowed": true, "headers": {"x-tenant": input.token.claims.tenant}}  mesh/authz.rego:5
    ✗ allowed  :5  allowed is undefined
      ✗ allowed  mesh/authz.rego:7
        ✓ some route in routes  :8
          routes = {{"method": "POST", "path": "/orders", "scope": "orders:write"}}
            ✓ routes contains route  mesh/authz.rego:12
              ✓ some route in data.mesh.routes  :13  (2 values)
              ✓ route.method == input.request.method  :14  (1 of 2 passed)
              ✓ under(route.path, input.request.path)  :15
        ✗ route.scope in input.token.scopes  :9
          route.scope = "orders:write", input.token.scopes = ["orders:read"]
`);
  });

  test('keeps large integers as they are', async () => {
    const folder = await folderOf({
      't.rego': 'package t\n\nok if input.n == 9007199254740992\n',
      'in.file': '{"n": 9007199254740993}',
    });
    const args = ['explain', '-p', folder, '-e', 't/ok', '-i', join(folder, 'in.file')];
    expect((await runCli(args)).stdout).toContain('input.n = 9007199254740993');
  });

  test('hides credentials, wherever their text comes up', async () => {
    const input = {
      attributes: { request: { http: { headers: { authorization: 'Bearer opaque-credential-7' } } } },
    };
    const rule =
      'ok if {\n\tparts := split(input.attributes.request.http.headers.authorization, " ")\n\tparts[1] == "x"\n}';
    for (const format of ['text', 'json']) {
      const told = await explain(rule, 'ok', input, ['--format', format]);
      expect(told).toContain('**REDACTED**');
      expect(told).not.toContain('opaque-credential-7');
    }
  });

  test('gives the same as JSON, with sets told from lists, the same at each run', async () => {
    const rule = 'ok contains x if {\n\tsome x in input.list\n\tx > 1\n}';
    const once = await explain(rule, 'ok', { list: [1, 2, 3] }, ['--format', 'json']);
    const report = JSON.parse(once);
    expect(report).toMatchObject({
      entrypoint: 't/ok',
      wasm: { agrees: true },
      explanation: {
        value: { json: [2, 3], text: '{2, 3}' },
        rules: [
          {
            name: 'data.t.ok',
            definitions: [
              {
                file: 't.rego',
                row: 3,
                held: true,
                steps: [
                  { text: 'some x in input.list', passed: 3, failed: 0 },
                  { text: 'x > 1', passed: 2, failed: 1, failures: [{ bindings: [{ term: 'x' }] }] },
                ],
              },
            ],
          },
        ],
      },
    });
    expect(await explain(rule, 'ok', { list: [1, 2, 3] }, ['--format', 'json'])).toBe(once);
  });
});

describe('countersign explain --request', () => {
  async function request(line: string, more: readonly string[]) {
    const folder = await orders();
    return runCli(['explain', '--policy', folder, '--request', line, '--svid', FRONTEND, ...more]);
  }

  test('decides with a minted certificate and token, and explains the input that they make', async () => {
    const { code, stdout } = await request('POST /v1/../orders?x=1', [
      '--token-claims',
      '{"scope": "orders:read", "sub": "alice"}',
    ]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^denied: policy_denied \(403\)\n {2}no rule allows it\n/);
    expect(stdout).toContain('✗ route.scope in input.token.scopes');
    expect(stdout).toContain('Note: filled in for the token: iss, aud, client_id, iat, exp, jti\n');
  });

  test('names claims that the token does not have, and no value of a token', async () => {
    const { stdout } = await request('GET /orders', ['--token-claims', '{"scope": "orders:read"}']);
    expect(stdout).toContain(
      'input.token.claims.tenant is undefined: input.token.claims has aud, client_id, exp',
    );
    expect(stdout).not.toContain('eyJ');
  });

  test('says that it is allowed, and by which rule', async () => {
    const { stdout } = await request('GET /orders', [
      '--token-claims',
      '{"scope": "orders:read", "tenant": "north"}',
    ]);
    expect(stdout).toMatch(/^allowed\n\ndecision = \{"allowed": true/);
    expect(stdout).toContain('✓ decision := {"allowed": true');
  });

  test.each([
    ['an expired token', '{"exp": 1700000000}', 'token_expired (401)', 'Get a fresh one.'],
    ['a claim that RFC 9068 requires', '{"sub": null}', 'token_claims_invalid (401)', 'A claim is missing'],
    ['a token of the future', '{"nbf": 9999999999}', 'token_not_yet_valid (401)', 'Compare clocks'],
  ])(
    'gives the refusal of %s instead of a trace, with what docs/reasons.md says',
    async (_, claims, code, line) => {
      const { stdout } = await request('GET /orders', ['--token-claims', claims]);
      expect(stdout).toContain(`denied: ${code}\n`);
      expect(stdout).toContain(line);
      expect(stdout).toContain('Note: the policy was not asked');
      expect(stdout).not.toContain('decision =');
    },
  );

  test('asks for a token where there is none', async () => {
    const { stdout } = await request('GET /orders', []);
    expect(stdout).toContain('denied: token_missing (401)');
    expect(stdout).toContain('give the token as --token-claims JSON');
  });

  test('refuses a path that could be read in two ways, as the server does', async () => {
    const { stdout } = await request('GET /orders%2F7', ['--token-claims', '{}']);
    expect(stdout).toContain('denied: path_refused (403)');
  });

  test('takes headers, a body and a bound token', async () => {
    const folder = await folderOf({
      'mesh/authz.rego': `package mesh.authz

default decision := false

decision if {
	input.attributes.request.http.headers["x-region"] == "eu"
	input.parsed_body.count == 2
	input.token.binding == "x5t#S256"
}
`,
    });
    const { stdout } = await runCli([
      ...[
        'explain',
        '-p',
        folder,
        '-r',
        'POST /orders',
        '--svid',
        FRONTEND,
        '--token-claims',
        '{}',
        '--bound',
      ],
      ...['-H', 'X-Region: eu', '--body', '{"count": 2}'],
    ]);
    expect(stdout).toMatch(/^allowed\n/);
  });

  test('takes issuer, audience, trust domains and entrypoint from a configuration', async () => {
    const folder = await folderOf({
      'policies/app.rego':
        'package app\n\ndefault ok := false\n\nok if input.token.issuer == "https://idp.example"\n',
      'ca.pem': '',
      'countersign.yaml': `identity: { trust_domains: { example.org: { bundle: ./ca.pem } } }
token:
  issuers: [{ issuer: https://idp.example, audiences: [orders], jwks: ./keys.json }]
policy: { path: ./policies, entrypoint: app/ok }
`,
    });
    const ask = async (svid: string, claims: object) =>
      (
        await runCli([
          ...['explain', '--config', join(folder, 'countersign.yaml'), '--request', 'GET /'],
          ...['--svid', svid, '--token-claims', JSON.stringify(claims)],
        ])
      ).stdout;
    expect(await ask(FRONTEND, {})).toMatch(/^allowed\n\nok = true\n/);
    expect(await ask(FRONTEND, { aud: 'payments' })).toContain('denied: token_audience_mismatch (401)');
    expect(await ask(FRONTEND, { iss: 'https://other.example' })).toContain(
      'denied: token_issuer_unknown (401)',
    );
    expect(await ask('spiffe://rogue.example/a', {})).toContain('denied: trust_domain_unknown (403)');
  });
});

describe('countersign explain --request, of a configuration that asks more of tokens', () => {
  const ask = async (token: string, claims: object, ...more: string[]) => {
    const folder = await folderOf({
      'policies/app.rego': 'package app\n\ndefault ok := true\n',
      'ca.pem': '',
      'countersign.yaml': `identity: { trust_domains: { example.org: { bundle: ./ca.pem } } }
token: { ${token}, issuers: [{ issuer: "https://idp.example", audiences: [orders], jwks: ./keys.json }] }
policy: { path: ./policies, entrypoint: app/ok }
`,
    });
    const { stdout } = await runCli([
      ...['explain', '--config', join(folder, 'countersign.yaml'), '--request', 'GET /'],
      ...['--svid', FRONTEND, '--token-claims', JSON.stringify(claims), ...more],
    ]);
    return stdout;
  };

  test('token.delegation.max_depth', async () => {
    const act = { sub: 'a', act: { sub: 'b' } };
    expect(await ask('delegation: { max_depth: 2 }', { act })).toMatch(/^allowed\n/);
    expect(await ask('delegation: { max_depth: 1 }', { act })).toContain(
      'denied: token_delegation_too_deep (401)',
    );
  });

  test('token.binding', async () => {
    expect(await ask('binding: x5t#S256', {})).toContain('denied: token_binding_required (401)');
    expect(await ask('binding: x5t#S256', {}, '--bound')).toMatch(/^allowed\n/);
  });
});

describe('countersign explain --decision', () => {
  const event = (id: string, more: object = {}) =>
    JSON.stringify({
      decision_id: id,
      timestamp: '2030-01-01T00:00:00.000Z',
      path: 'mesh/authz/decision',
      bundles: { policy: { revision: 'r1' } },
      input: { request: { method: 'PUT', path: '/orders' }, token: { scopes: [] } },
      result: { allowed: false, reason: 'no rule allows it' },
      reason: 'policy_denied',
      detail: 'no rule allows it',
      msg: 'Decision Log',
      ...more,
    });

  async function decision(lines: readonly string[], more: readonly string[] = []) {
    const folder = await orders();
    await writeFile(join(folder, 'log'), `${lines.join('\n')}\n`);
    return runCli(['explain', '--policy', folder, '--decision', join(folder, 'log'), ...more]);
  }

  test('explains the input of an event, and says what the log left out of it', async () => {
    const { stdout } = await decision([
      event('a', { erased: ['/input/parsed_body'], masked: ['/result/body'] }),
    ]);
    expect(stdout).toMatch(/^denied: policy_denied\n {2}no rule allows it\n/);
    expect(stdout).toContain('✗ route.method == input.request.method  :14  (none of 2)');
    expect(stdout).toContain('so the policy sees less here: /input/parsed_body\n');
    expect(stdout).toContain('the decision was made by revision r1');
    expect(stdout).not.toContain('/result/body');
  });

  test('says nothing of the revision where it is the one of the folder', async () => {
    const first = (await decision([event('a')])).stdout;
    const revision = /this folder is (sha256:[0-9a-f]{16}):/.exec(first)![1]!;
    const { stdout } = await decision([event('a', { bundles: { policy: { revision } } })]);
    expect(stdout).not.toContain('revision');
  });

  test('picks one of several by its id, past lines that are none', async () => {
    const lines = [event('a'), 'not JSON', event('b', { input: { request: { method: 'GET', path: '/b' } } })];
    expect((await decision(lines)).stderr).toContain('2 decisions in it; pick one with --id DECISION_ID');
    const { stdout } = await decision(lines, ['--id', 'b']);
    expect(stdout).toContain('✗ under(route.path, input.request.path)');
    expect((await decision(lines, ['--id', 'c'])).stderr).toContain('no decision with the id c');
  });

  test('says that the answer was another one then', async () => {
    const { stdout } = await decision([event('a', { result: { allowed: true }, reason: 'allowed' })]);
    expect(stdout).toContain(
      'this is not the answer that was given then: the policy allowed the request, and now denied the request',
    );
  });

  test('of a request that was refused before says why', async () => {
    const { stdout } = await decision([
      event('a', { path: undefined, reason: 'token_expired', detail: 'exp has come' }),
    ]);
    expect(stdout).toBe(
      'denied: token_expired\n  exp has come\n  What to do: Get a fresh one.\n\nNote: the policy was not asked\n',
    );
  });

  test('of an event without its input says that there is none', async () => {
    expect((await decision([event('a', { input: null })])).stderr).toContain('the input is not in the event');
  });
});

describe('what cannot be explained', () => {
  test.each<[string, readonly string[], number, string]>([
    ['nothing to explain', ['-p', 'x'], 1, 'give one of --input, --request and --decision'],
    ['no policy', ['-i', 'x'], 1, '--policy: give the folder of the policy, or --config'],
    ['no such folder', ['-p', '/nowhere-at-all', '-i', 'x'], 2, '/nowhere-at-all: no such folder'],
    ['no SPIFFE ID', ['-r', 'GET /'], 1, '--svid: give the SPIFFE ID of the caller'],
    ['what is no SPIFFE ID', ['-r', 'GET /', '--svid', 'a'], 1, 'write spiffe://trust-domain/path'],
    ['what is no request', ['-r', '/orders', '--svid', FRONTEND], 1, '--request: write method and path'],
    [
      'claims that are no object',
      ['-r', 'GET /', '--svid', FRONTEND, '--token-claims', '[]'],
      1,
      '--token-claims: not a JSON object',
    ],
    [
      'a file that is not there',
      ['-i', '/nowhere-at-all'],
      1,
      '--input: /nowhere-at-all cannot be read (ENOENT)',
    ],
    ['an entrypoint that is not there', ['-i', '/dev/null', '-e', 'a/b'], 1, '/dev/null is not JSON'],
  ])('%s is told', async (_, args, code, message) => {
    const folder = args.includes('-p') ? [] : ['-p', await orders()];
    const needsNone = message.startsWith('--policy');
    const result = await runCli(['explain', ...args, ...(needsNone ? [] : folder)]);
    expect(result.stderr).toContain(message);
    expect(result.code).toBe(code);
    expect(result.stdout).toBe('');
  });

  test('a policy that does not compile is shown by line and column', async () => {
    const folder = await folderOf({ 'a.rego': 'package mesh.authz\n\ndecision := nothing\n', in: '{}' });
    const { code, stderr } = await runCli(['explain', '-p', folder, '-i', join(folder, 'in')]);
    expect(code).toBe(2);
    expect(stderr).toContain('a.rego:3:13: rego_unsafe_var_error');
  });

  test('a policy that the server would refuse is refused here as well, by the built-in and its line', async () => {
    const rego =
      'package mesh.authz\n\ndecision if http.send({"url": "x", "method": "get"}).status_code == 200\n';
    const folder = await folderOf({ 'a.rego': rego, in: '{}' });
    const { code, stderr } = await runCli(['explain', '-p', folder, '-i', join(folder, 'in')]);
    expect(code).toBe(2);
    expect(stderr).toContain('called at a.rego:3:13');
  });
});
