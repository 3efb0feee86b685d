import { readFile } from 'node:fs/promises';
import { compilePathTemplate, DEFAULT_PATH_TEMPLATE } from '../../src/identity/path-template.js';
import { createDestinationReader } from '../../src/identity/workload.js';
import { policyInput } from '../../src/decision/input.js';
import type { CheckRequest } from '../../src/envoy/messages.js';
import { toFacts } from '../../src/envoy/facts.js';
import { isRefusal } from '../../src/errors/refusal.js';
import { parseExact, stringifyExact } from '../../src/json/exact.js';
import { HOST_BUILTINS, REFUSED_BUILTINS } from '../../src/policy/builtins/index.js';
import { readBundle } from '../../src/policy/bundle.js';
import { loadPolicy } from '../../src/policy/evaluator.js';
import { requiredBuiltins } from '../../src/policy/required-builtins.js';
import { readResult } from '../../src/policy/result.js';
import type { PolicyResult } from '../../src/policy/types.js';
import { compileRego } from '../../src/rego/compiler.js';
import { facts, pipeline } from '../decision/fakes.js';
import { describeOpa, opa } from '../support/opa.js';

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
  kubernetes: { namespace: 'shop', serviceAccount: 'frontend' },
  fingerprint: '9f'.repeat(32),
  source: 'certificate' as const,
  thumbprint: 'x'.repeat(43),
};

const token = {
  issuer: 'https://idp.example.org',
  subject: 'alice',
  clientId: 'frontend',
  audience: ['orders'],
  scopes: ['orders:read', 'orders:write'],
  roles: ['buyer'],
  groups: [],
  actor: { sub: 'frontend' },
  claims: {
    iss: 'https://idp.example.org',
    aud: 'orders',
    sub: 'alice',
    client_id: 'frontend',
    scope: 'orders:read orders:write',
    roles: ['buyer'],
    act: { sub: 'frontend' },
    iat: 1893456000,
    exp: 1893456300,
    jti: 't1',
  },
  issuedAt: 1893456000,
  expiresAt: 1893456300,
  binding: 'x5t#S256' as const,
  bindings: ['x5t#S256' as const],
  actors: [{ sub: 'frontend' }],
};

const request: CheckRequest = {
  attributes: {
    source: {
      address: { socketAddress: { address: '192.0.2.7', portValue: 40000 } },
      principal: workload.spiffeId,
    },
    destination: {
      address: { socketAddress: { address: '192.0.2.8', portValue: 443 } },
      principal: 'spiffe://example.org/ns/shop/sa/orders',
    },
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
    const called = createDestinationReader(compilePathTemplate(DEFAULT_PATH_TEMPLATE))(read.destination);
    const made = parseExact(stringifyExact(policyInput(read, workload, token, called)));
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

  describe('tells of built-ins', () => {
    test('which are refused, and no other', () => {
      const refused = tableOf('## Built-ins').map(([name]) => unquoted(name!));
      expect(refused.sort()).toEqual(Object.keys(REFUSED_BUILTINS).sort());
    });

    test('at what bound each gives up', async () => {
      const rows = tableOf('### Bounds').map(([, most]) => Number(most!.replaceAll(',', '')));
      const inCode = BOUNDS.map(async ([file, name]) => {
        const source = await readFile(new URL(`../../src/policy/builtins/${file}`, import.meta.url), 'utf8');
        return product(new RegExp(`const ${name} = ([\\d_ *]+)n?;`).exec(source)?.[1] ?? 'none');
      });
      expect(rows).toEqual(await Promise.all(inCode));
    });

    test('what a failure comes to', async () => {
      const rows = tableOf('### When one fails').map(
        ([call, outcome]) => [unquoted(call!), outcome] as const,
      );
      const answers = await evaluateAll(rows.map(([call]) => call));
      const outcomes = answers.map((answer) =>
        isRefusal(answer) ? (answer.code === 'policy_undefined' ? 'undefined' : 'ends') : 'a value',
      );
      expect(outcomes).toEqual(rows.map(([, outcome]) => outcome));
    });

    test('what becomes of large integers', async () => {
      const rows = tableOf('### Large integers').map((cells) => cells.map(unquoted));
      const answers = await evaluateAll(rows.map(([expression]) => expression!));
      const values = answers.map((answer) => {
        if (isRefusal(answer)) throw new Error(answer.detail);
        return stringifyExact(answer.dynamicMetadata!['value']);
      });
      expect(values).toEqual(rows.map(([, value]) => value));
    });
  });

  describeOpa('of the functions that OPA itself lists', () => {
    test('a policy may call all but those that are refused', async () => {
      const { output } = await opa(['capabilities', '--current'], '.');
      const { builtins } = JSON.parse(output) as { builtins: OpaBuiltin[] };
      // `eq` is what the compiler makes of `=`, and `assign` of `:=`.
      const functions = builtins.filter(
        ({ name, deprecated }) => !deprecated && !/^(internal\..*|assign|eq)$/.test(name),
      );
      expect(functions.length).toBeGreaterThan(150);
      const rules = functions.map(({ name, decl }, index) => {
        const call = `${name}(${(decl.args ?? []).map((_, position) => `input.x${position}`).join(', ')})`;
        return `rule_${index} if {\n\t${decl.result ? `x := ${call}\n\tx != 0` : call}\n}`;
      });
      const compiled = await compileRego(
        [{ path: 'test.rego', content: `package test\n\n${rules.join('\n\n')}\n` }],
        { entrypoints: rules.map((_, index) => `test/rule_${index}`) },
      );
      if (isRefusal(compiled)) throw new Error(compiled.detail);
      const bundle = await readBundle(compiled.bundle);
      if (isRefusal(bundle)) throw new Error(bundle.detail);
      const missing = (await requiredBuiltins(bundle.wasm)).filter((name) => !(name in HOST_BUILTINS));
      expect(missing.sort()).toEqual(Object.keys(REFUSED_BUILTINS).sort());
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
      if (!decision.answer.allowed)
        expect(decision.answer.httpStatus).toBe(reason.endsWith('authentication') ? 401 : 403);
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
  ['decision := {"allowed": false, "step_up": {"max_age": 300}}', 'insufficient_user_authentication'],
  ['decision if input.never', 'policy_undefined'],
  ['decision := "true"', 'policy_result_invalid'],
  ['decision := 1', 'policy_result_invalid'],
  ['decision := [true]', 'policy_result_invalid'],
  ['decision := {"allow": true}', 'policy_result_invalid'],
  ['decision := true if input.request\ndecision := false if input.identity', 'policy_error'],
  ['decision if count(numbers.range_step(1, 1000001, 1)) > 0', 'policy_error'],
];

/** The keys in the first column of a section's first table. */
function rowsOf(heading: string): string[] {
  const section = page.slice(page.indexOf(`${heading}\n`));
  const table = /^\| key \|[\s\S]*?\n\n/m.exec(section)![0];
  return [...table.matchAll(/^\| (`[^|]*`) \|/gm)].flatMap(([, names]) =>
    [...names!.matchAll(/`([^`]+)`/g)].map(([, name]) => name!),
  );
}

interface OpaBuiltin {
  readonly name: string;
  readonly deprecated?: boolean;
  readonly decl: { readonly args?: readonly unknown[]; readonly result?: unknown };
}

/** The cells of the first table below a heading, without its head. */
function tableOf(heading: string): string[][] {
  const section = page.slice(page.indexOf(`${heading}\n`));
  const table = /^\|[\s\S]*?\n\n/m.exec(section)![0];
  return table
    .trimEnd()
    .split('\n')
    .slice(2)
    .map((row) => row.slice(2, -2).split(' | '));
}

const unquoted = (cell: string) => cell.replace(/^`(.*)`$/, '$1');

/** Where the bound of each row stands. */
const BOUNDS: readonly (readonly [file: string, constant: string])[] = [
  ['numbers.ts', 'LONGEST_RANGE'],
  ['net.ts', 'MOST_ADDRESSES'],
  ['net.ts', 'MOST_PAIRS'],
  ['net.ts', 'MOST_MATCHES'],
  ['pattern.ts', 'LONGEST_PATTERN'],
  ['pattern.ts', 'MOST_STEPS'],
  ['pattern.ts', 'LONGEST_SEARCH'],
  ['regex.ts', 'LONGEST_RESULT'],
  ['replace.ts', 'LONGEST'],
  ['big-float.ts', 'MOST_DIGITS'],
  ['glob-tokens.ts', 'LONGEST'],
  ['go/printf.ts', 'LONGEST'],
  ['template.ts', 'LONGEST_TEMPLATE'],
  ['template/execute.ts', 'MOST_STEPS'],
  ['patch/sizes.ts', 'MOST_VALUES'],
  ['schema/validate.ts', 'MOST_CHECKS'],
  ['objects.ts', 'MOST_VERTICES'],
  ['graphql-parse.ts', 'MOST_QUERY_TOKENS'],
  ['graphql-parse.ts', 'MOST_SCHEMA_TOKENS'],
  ['units.ts', 'LARGEST_POWER'],
];

/** `4 * 1024 * 1024` */
const product = (text: string) =>
  text
    .replaceAll('_', '')
    .split('*')
    .reduce((all, factor) => all * Number(factor), 1);

/** What each expression gives, for an input with a large integer and a zero. */
async function evaluateAll(expressions: readonly string[]) {
  const rules = expressions.map(
    (expression, index) =>
      `rule_${index} := {"allowed": true, "dynamic_metadata": {"value": x}} if x := ${expression}`,
  );
  const entrypoints = rules.map((_, index) => `test/rule_${index}`);
  const compiled = await compileRego(
    [{ path: 'test.rego', content: `package test\n\n${rules.join('\n\n')}\n` }],
    { entrypoints },
  );
  if (isRefusal(compiled)) throw new Error(compiled.detail);
  const bundle = await readBundle(compiled.bundle);
  if (isRefusal(bundle)) throw new Error(bundle.detail);
  const policy = await loadPolicy({ bundle, entrypoints });
  if (isRefusal(policy)) throw new Error(policy.detail);
  const input = parseExact('{"large": 18446744073709551617, "zero": 0}');
  return entrypoints.map((entrypoint) => policy.evaluate(entrypoint, input, 0));
}

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
