import { readdir, readFile } from 'node:fs/promises';
import { isRefusal } from '../../src/errors/refusal.js';
import type { Policy } from '../../src/policy/types.js';
import { policyFrom, shippedSources } from '../support/library.js';

const FOLDER = new URL('../../policies/examples/', import.meta.url);
const names = (await readdir(FOLDER)).sort();
const entrypoint = (name: string) => `examples/${name}/decision`;

let policy: Policy;
beforeAll(async () => {
  policy = await policyFrom(await shippedSources(), names.map(entrypoint));
});

const workload = (path: string) => ({ identity: { spiffe_id: `spiffe://example.org${path}` } });
const request = (method: string, path: string) => ({ request: { method, path } });
const header = (name: string, value: string) => ({
  attributes: { request: { http: { headers: { [name]: value } } } },
});

const portal = { sub: 'spiffe://example.org/ns/bank/sa/portal' };
const delegated = { subject: 'alice', scopes: ['accounts:read'], actor: portal, claims: { act: portal } };
const run = {
  issuer: 'https://pipelines.example.org',
  audience: ['deploy'],
  claims: {
    repository: 'shop/orders',
    ref: 'refs/heads/main',
    environment: 'production',
    event_name: 'push',
    sha: '9f86d08',
  },
};
const toolCall = (name: string) => ({
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: { name, arguments: {} },
});
const support = {
  ...workload('/ns/agents/sa/support'),
  ...request('POST', '/mcp'),
  token: { scopes: ['tools:call'] },
  truncated_body: false,
};
const tracker = {
  identity: { spiffe_id: 'spiffe://parcels.example/tracker' },
  ...request('GET', '/shipments/7'),
  token: { scopes: ['shipments'], binding: 'x5t#S256' },
};
const onCall = {
  ...workload('/ns/ops/sa/gateway'),
  ...header('x-incident', 'INC-1042'),
  token: { subject: 'alice', binding: 'x5t#S256' },
};
const broker = { ...workload('/ns/plant/sa/broker'), ...header('x-legacy-system', 'label-printer') };
const shop = { ...workload('/ns/shop/sa/frontend'), token: { scopes: ['orders:read'] } };

const cases: readonly [name: string, allowed: boolean, input: object, at?: string][] = [
  ['service_to_service', true, { ...shop, ...request('GET', '/orders/7') }],
  ['service_to_service', false, { ...shop, ...request('PUT', '/orders/7') }],
  ['service_to_service', false, { ...shop, ...request('GET', '/orders') }],
  [
    'delegated_user',
    true,
    { ...workload('/ns/bank/sa/portal'), ...request('GET', '/users/alice/accounts'), token: delegated },
  ],
  [
    'delegated_user',
    false,
    { ...workload('/ns/bank/sa/portal'), ...request('GET', '/users/bob/accounts'), token: delegated },
  ],
  [
    'deploy_gate',
    true,
    { ...workload('/ns/ci-production/sa/runner'), ...request('POST', '/deploy/production'), token: run },
  ],
  [
    'deploy_gate',
    false,
    { ...workload('/ns/ci-staging/sa/runner'), ...request('POST', '/deploy/production'), token: run },
  ],
  ['vendor', true, tracker, '2026-02-01T00:00:00Z'],
  ['vendor', false, tracker, '2026-03-31T00:00:00Z'],
  ['mcp_agent', true, { ...support, parsed_body: toolCall('add_comment') }],
  ['mcp_agent', false, { ...support, parsed_body: toolCall('delete_ticket') }],
  ['mcp_agent', false, { ...support, parsed_body: [toolCall('add_comment'), toolCall('delete_ticket')] }],
  ['mcp_agent', false, { ...support, parsed_body: null, truncated_body: true }],
  ['legacy_broker', true, { ...broker, ...request('GET', '/labels/7') }],
  ['legacy_broker', false, { ...broker, ...request('GET', '/stock') }],
  ['break_glass', true, onCall, '2026-02-01T03:00:00Z'],
  ['break_glass', false, onCall, '2026-02-01T06:00:00Z'],
];

const dated = cases.map(
  ([name, allowed, input, at = '2026-01-01T00:00:00Z']) => [name, allowed, input, at] as const,
);

describe('the worked policies, in Wasm', () => {
  test.each(dated)('%s: allowed is %s', (name, allowed, input, at) => {
    const result = policy.evaluate(entrypoint(name), input, Date.parse(at));
    if (isRefusal(result)) throw new Error(result.detail);
    expect(result.allowed).toBe(allowed);
  });

  test.each(names)('%s denies what it knows nothing of', (name) => {
    const result = policy.evaluate(entrypoint(name), {}, 0);
    // Undefined is a denial too, with its own reason.
    if (isRefusal(result)) expect(result.code).toBe('policy_undefined');
    else expect(result.allowed).toBe(false);
  });

  test('breaking the glass obliges to an audit', () => {
    const result = policy.evaluate(entrypoint('break_glass'), onCall, Date.parse('2026-02-01T03:00:00Z'));
    expect(result).toMatchObject({
      headers: [['x-audit', 'required']],
      dynamicMetadata: { obligation: { audit: true, incident: 'INC-1042', person: 'alice' } },
    });
  });

  test('each has an allowed and a denied request here', () => {
    for (const allowed of [true, false])
      expect([...new Set(cases.filter((one) => one[1] === allowed).map(([name]) => name))].sort()).toEqual(
        names,
      );
  });
});

/** The OWASP Non-Human Identities Top 10 of 2025. */
const RISKS: { readonly [number: string]: string } = {
  NHI1: 'Improper Offboarding',
  NHI2: 'Secret Leakage',
  NHI3: 'Vulnerable Third-Party NHI',
  NHI4: 'Insecure Authentication',
  NHI5: 'Overprivileged NHI',
  NHI6: 'Insecure Cloud Deployment Configurations',
  NHI7: 'Long-Lived Secrets',
  NHI8: 'Environment Isolation',
  NHI9: 'NHI Reuse',
  NHI10: 'Human Use of NHI',
};

test.each(names)('%s says what it protects, and which risk it answers', async (name) => {
  const text = await readFile(new URL(`${name}/policy.rego`, FOLDER), 'utf8');
  const head = text.slice(0, text.indexOf('\npackage ')).replaceAll(/\n#\s*/g, ' ');
  expect(head).toMatch(/Protects .*It answers/);
  const [, number, title] = /It answers (NHI\d+):2025 (.*?)\.\s*$/.exec(head)!;
  expect(RISKS[number!]).toBe(title);
});
