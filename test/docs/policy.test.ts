import { readFile } from 'node:fs/promises';
import { policyInput } from '../../src/decision/input.js';
import type { CheckRequest } from '../../src/envoy/messages.js';
import { toFacts } from '../../src/envoy/facts.js';
import { isRefusal } from '../../src/errors/refusal.js';
import { parseExact, stringifyExact } from '../../src/json/exact.js';
import { HOST_BUILTINS, REFUSED_BUILTINS } from '../../src/policy/builtins/index.js';
import { readBundle } from '../../src/policy/bundle.js';
import { loadPolicy } from '../../src/policy/evaluator.js';
import { readResult } from '../../src/policy/result.js';
import type { PolicyResult } from '../../src/policy/types.js';
import { compileRego } from '../../src/rego/compiler.js';
import { facts, pipeline } from '../decision/fakes.js';

const page = await readFile(new URL('../../docs/policy.md', import.meta.url), 'utf8');

/** The blocks of code, in order. */
const blocks = [...page.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, language, text]) => ({
  language: language!,
  text: text!,
}));

const workload = {
  spiffeId: 'spiffe://example.org/ns/shop/sa/frontend',
  trustDomain: 'example.org',
  path: '/ns/shop/sa/frontend',
  notAfter: 1893459600_000,
  fingerprint: '9f'.repeat(32),
  thumbprint: 'x'.repeat(43),
};

const token = {
  issuer: 'https://idp.example.org',
  subject: 'alice',
  clientId: 'frontend',
  audience: ['orders'],
  scopes: ['orders:read', 'orders:write'],
  actor: { sub: 'frontend' },
  claims: {
    iss: 'https://idp.example.org',
    aud: 'orders',
    sub: 'alice',
    client_id: 'frontend',
    scope: 'orders:read orders:write',
    act: { sub: 'frontend' },
    iat: 1893456000,
    exp: 1893456300,
    jti: 't1',
  },
  issuedAt: 1893456000,
  expiresAt: 1893456300,
  binding: 'x5t#S256' as const,
};

const request: CheckRequest = {
  attributes: {
    source: {
      address: { socketAddress: { address: '192.0.2.7', portValue: 40000 } },
      principal: workload.spiffeId,
    },
    destination: { address: { socketAddress: { address: '192.0.2.8', portValue: 443 } } },
    request: {
      http: {
        id: '1234',
        method: 'POST',
        path: '/v1/../orders?dry_run=1',
        host: 'orders.shop',
        scheme: 'https',
        protocol: 'HTTP/2',
        headers: {
          ':authority': 'orders.shop',
          ':method': 'POST',
          ':path': '/v1/../orders?dry_run=1',
          ':scheme': 'https',
          'content-type': 'application/json',
        },
        body: '{"item":"tea","count":2}',
      },
    },
  },
};

describe('docs/policy.md', () => {
  test('shows the input that a policy really gets', () => {
    const read = toFacts(request);
    if (isRefusal(read)) throw new Error(read.detail);
    const made = parseExact(stringifyExact(policyInput(read, workload, token)));
    const shown = blocks.find(({ language, text }) => language === 'json' && text.includes('"parsed_path"'))!;
    expect(parseExact(shown.text)).toEqual(made);
  });

  const examples = blocks.flatMap((block, index) => {
    const [input, result] = blocks.slice(index + 1);
    return block.text.startsWith('package example.authz') ? [[block.text, input!.text, result!.text]] : [];
  });

  test.each(examples)('an example answers as it says: %#', async (rego, input, expected) => {
    const entrypoints = ['example/authz/decision'];
    const compiled = await compileRego([{ path: 'authz.rego', content: rego! }], { entrypoints });
    if (isRefusal(compiled)) throw new Error(compiled.detail);
    const bundle = await readBundle(compiled.bundle);
    if (isRefusal(bundle)) throw new Error(bundle.detail);
    const policy = await loadPolicy({ bundle, entrypoints });
    if (isRefusal(policy)) throw new Error(policy.detail);
    const answer = policy.evaluate(entrypoints[0]!, parseExact(input!), 0);
    if (isRefusal(answer)) throw new Error(answer.detail);
    expect(said(answer)).toEqual(JSON.parse(expected!));
  });

  test('has examples', () => expect(examples.length).toBeGreaterThanOrEqual(3));

  test('names every built-in that the host supplies or refuses', () => {
    const section = /## Built-ins\n([\s\S]*?)\n## /.exec(page)![1]!;
    for (const name of [...Object.keys(HOST_BUILTINS), ...Object.keys(REFUSED_BUILTINS)])
      expect(section).toContain(`\`${name}\``);
  });

  describe('tells of built-ins', () => {
    const rows = [...page.matchAll(/^\| [a-z]+ \| (`.*) \| (`.*) \|$/gm)];
    const listed = (column: 1 | 2) =>
      rows.flatMap((row) => [...row[column]!.matchAll(/`([a-z0-9_.]+)`/g)].map(([, name]) => name!));

    /** Loads a policy that calls all of these. */
    async function load(names: readonly string[]) {
      const unknown = names.filter((name) => !(name in CALLS));
      expect(unknown).toEqual([]);
      const body = names.map((name, index) => `\tx${index} := ${name}(${CALLS[name]!.join(', ')})`);
      const used = names.map((_, index) => `\tx${index} != "never"`);
      const content = `package test\n\ndecision if {\n${[...body, ...used].join('\n')}\n}\n`;
      const entrypoints = ['test/decision'];
      const compiled = await compileRego([{ path: 'test.rego', content }], { entrypoints });
      if (isRefusal(compiled)) throw new Error(compiled.detail);
      const bundle = await readBundle(compiled.bundle);
      if (isRefusal(bundle)) throw new Error(bundle.detail);
      return loadPolicy({ bundle, entrypoints });
    }

    test('that are here, and are', async () => {
      expect(listed(1).length).toBeGreaterThan(30);
      const policy = await load(listed(1));
      if (isRefusal(policy)) throw new Error(policy.detail);
      const input = { text: 'a', list: ['a'], object: { a: 1 } };
      expect(policy.evaluate('test/decision', input, 0)).toMatchObject({ allowed: true });
    });

    test('that are not here, and are not', async () => {
      expect(listed(2).length).toBeGreaterThan(20);
      const outcome = await load(listed(2));
      if (!isRefusal(outcome)) throw new Error('it loaded');
      const named = outcome.detail
        .split('\n')
        .slice(1)
        .map((line) => /^ {2}([\w.]+)/.exec(line)![1]);
      expect(named.sort()).toEqual(listed(2).sort());
    });
  });

  test('has a line for every key of the result, and for no other', () => {
    const asked = new Set<string>();
    const watched = new Proxy<{ [key: string]: unknown }>(
      { allowed: false },
      {
        get(target, key) {
          if (typeof key === 'string') asked.add(key);
          return target[key as string];
        },
      },
    );
    expect(isRefusal(readResult(watched))).toBe(false);
    expect(rowsOf('## The result').sort()).toEqual([...asked].sort());
  });

  test('gives each key of the result the kind that it is held to', () => {
    for (const key of rowsOf('## The result')) {
      const outcome = readResult({ allowed: false, [key]: 1 });
      if (!isRefusal(outcome)) throw new Error(`${key} may be a number`);
      expect(outcome.detail).toContain(key);
    }
  });

  test('has a line for every key of the input', () => {
    const made = toFacts(request);
    if (isRefusal(made)) throw new Error(made.detail);
    const input = policyInput(made, workload, token);
    const named = rowsOf('## The input').map((name) => name.split('.')[0]);
    for (const key of Object.keys(input)) expect(named).toContain(key);
  });

  test('gives the reason of each outcome that it lists', async () => {
    const entrypoints = [...OUTCOMES.keys()].map((index) => `test/rule_${index}`);
    const content = OUTCOMES.map(([rule], index) => rule.replaceAll('decision', `rule_${index}`));
    const compiled = await compileRego(
      [{ path: 'test.rego', content: `package test\n\n${content.join('\n')}\n` }],
      { entrypoints },
    );
    if (isRefusal(compiled)) throw new Error(compiled.detail);
    const bundle = await readBundle(compiled.bundle);
    if (isRefusal(bundle)) throw new Error(bundle.detail);
    const loaded = await loadPolicy({ bundle, entrypoints });
    if (isRefusal(loaded)) throw new Error(loaded.detail);
    const found = new Set<string>();
    for (const [index, [, reason]] of OUTCOMES.entries()) {
      const made = pipeline({ policy: () => loaded, entrypoint: `test/rule_${index}` });
      const decision = await made.decide(facts(), { deadline: Infinity });
      expect([index, decision.reason]).toEqual([index, reason]);
      if (!decision.answer.allowed) expect(decision.answer.httpStatus).toBe(403);
      found.add(decision.reason);
    }
    const table = /What becomes of each outcome[\s\S]*?\n\n([\s\S]*?)\n\n/.exec(page)![1]!;
    const listed = [...table.matchAll(/`(\w+)` \|$/gm)].map(([, reason]) => reason!);
    expect(new Set(listed)).toEqual(found);
  });
});

/** A rule of each outcome with its reason. */
const OUTCOMES: readonly (readonly [rule: string, reason: string])[] = [
  ['decision := true', 'allowed'],
  ['decision := {"allowed": true}', 'allowed'],
  ['decision := false', 'policy_denied'],
  ['decision := {"allowed": false}', 'policy_denied'],
  ['decision := {"allowed": false, "required_scopes": ["a"]}', 'insufficient_scope'],
  ['decision if input.never', 'policy_undefined'],
  ['decision := "true"', 'policy_result_invalid'],
  ['decision := 1', 'policy_result_invalid'],
  ['decision := [true]', 'policy_result_invalid'],
  ['decision := {"allow": true}', 'policy_result_invalid'],
  ['decision := true if input.request\ndecision := false if input.identity', 'policy_error'],
  ['decision if sprintf("%!", [1]) != ""', 'policy_error'],
];

/** The keys in the first column of a section's first table. */
function rowsOf(heading: string): string[] {
  const section = page.slice(page.indexOf(`${heading}\n`));
  const table = /^\| key \|[\s\S]*?\n\n/m.exec(section)![0];
  return [...table.matchAll(/^\| (`[^|]*`) \|/gm)].flatMap(([, names]) =>
    [...names!.matchAll(/`([^`]+)`/g)].map(([, name]) => name!),
  );
}

/** Arguments to call each built-in with that the page lists. */
const CALLS: { readonly [name: string]: readonly string[] } = {
  concat: ['","', 'input.list'],
  contains: ['input.text', '"a"'],
  startswith: ['input.text', '"a"'],
  endswith: ['input.text', '"a"'],
  indexof: ['input.text', '"a"'],
  lower: ['input.text'],
  upper: ['input.text'],
  replace: ['input.text', '"a"', '"b"'],
  split: ['input.text', '"a"'],
  substring: ['input.text', '0', '1'],
  trim: ['input.text', '"a"'],
  trim_prefix: ['input.text', '"a"'],
  trim_suffix: ['input.text', '"a"'],
  'regex.match': ['"a"', 'input.text'],
  'regex.is_valid': ['input.text'],
  'regex.find_all_string_submatch_n': ['"a"', 'input.text', '-1'],
  'glob.match': ['"a*"', '[]', 'input.text'],
  'net.cidr_contains': ['"10.0.0.0/8"', '"10.1.1.1"'],
  'net.cidr_intersects': ['"10.0.0.0/8"', '"10.1.0.0/16"'],
  'object.get': ['input.object', '"a"', '2'],
  'object.keys': ['input.object'],
  'object.union': ['input.object', '{}'],
  'object.remove': ['input.object', '["a"]'],
  'object.filter': ['input.object', '["a"]'],
  'json.filter': ['input.object', '["a"]'],
  'json.remove': ['input.object', '["a"]'],
  walk: ['input.object'],
  'json.marshal': ['input.object'],
  'json.unmarshal': ['"{}"'],
  'base64.encode': ['input.text'],
  'base64.decode': ['"YQ=="'],
  'base64url.encode': ['input.text'],
  'base64url.decode': ['"YQ"'],
  'time.now_ns': [],
  'bits.and': ['1', '3'],
  'graph.reachable': ['{"a": ["b"], "b": []}', '["a"]'],
  'numbers.range': ['1', '3'],
  'strings.any_prefix_match': ['input.text', '"a"'],
  'strings.count': ['input.text', '"a"'],
  'strings.render_template': ['input.text', '{}'],
  'regex.replace': ['input.text', '"a"', '"b"'],
  'regex.find_n': ['"a"', 'input.text', '1'],
  'regex.split': ['"a"', 'input.text'],
  'glob.quote_meta': ['input.text'],
  'net.cidr_contains_matches': ['"10.0.0.0/8"', '"10.1.1.1"'],
  'net.cidr_expand': ['"10.0.0.0/30"'],
  'net.cidr_merge': ['["10.0.0.0/30"]'],
  'net.lookup_ip_addr': ['input.text'],
  'object.subset': ['input.object', '{}'],
  'json.patch': ['input.object', '[]'],
  'json.match_schema': ['input.object', '{}'],
  'hex.encode': ['input.text'],
  'urlquery.encode': ['input.text'],
  'urlquery.decode': ['input.text'],
  'time.clock': ['1'],
  'time.parse_rfc3339_ns': ['input.text'],
  'crypto.sha256': ['input.text'],
  'io.jwt.decode': ['input.text'],
  'http.send': ['{"method": "get", "url": "https://example.org"}'],
  'opa.runtime': [],
  'rand.intn': ['"a"', '2'],
  'semver.compare': ['"1.0.0"', '"1.0.1"'],
  'units.parse': ['"1k"'],
  'uuid.rfc4122': ['"a"'],
};

/** The answer under the names of the contract, without what is empty. */
function said(result: PolicyResult): object {
  const fields = {
    allowed: result.allowed,
    headers: Object.fromEntries(result.headers),
    request_headers_to_remove: result.requestHeadersToRemove,
    reason: result.reason,
    reasons: result.reasons,
    required_scopes: result.requiredScopes,
    http_status: result.httpStatus,
    body: result.body,
    dynamic_metadata: result.dynamicMetadata,
  };
  return Object.fromEntries(
    Object.entries(fields).filter(
      ([, value]) => value !== undefined && (typeof value !== 'object' || Object.keys(value).length > 0),
    ),
  );
}
