import { readFile } from 'node:fs/promises';
import { policyInput } from '../../src/decision/input.js';
import type { CheckRequest } from '../../src/envoy/messages.js';
import { toFacts } from '../../src/envoy/facts.js';
import { isRefusal } from '../../src/errors/refusal.js';
import { parseExact, stringifyExact } from '../../src/json/exact.js';
import { HOST_BUILTINS, LIBRARY_BUILTINS, REFUSED_BUILTINS } from '../../src/policy/builtins.js';
import { readBundle } from '../../src/policy/bundle.js';
import { loadPolicy } from '../../src/policy/evaluator.js';
import type { PolicyResult } from '../../src/policy/types.js';
import { compileRego } from '../../src/rego/compiler.js';

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
    const facts = toFacts(request);
    if (isRefusal(facts)) throw new Error(facts.detail);
    const made = parseExact(stringifyExact(policyInput(facts, workload, token)));
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
    for (const name of [...Object.keys(HOST_BUILTINS), ...LIBRARY_BUILTINS, ...Object.keys(REFUSED_BUILTINS)])
      expect(section).toContain(`\`${name}\``);
  });
});

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
