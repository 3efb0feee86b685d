import { configText, parsed, reported } from './support.js';

test.each([
  "{ spiffe_id: 'spiffe://example.org/ns/shop/sa/{client_id}' }",
  "{ spiffe_id: '{sub}' }",
  "{ spiffe_id: 'spiffe://example.org/{a}-{b}/c' }",
  '{ claim: azp, spiffe_ids: { web: spiffe://example.org/web } }',
  '{ claim: azp, spiffe_ids: { web: [spiffe://example.org/web, spiffe://example.org/canary] } }',
])('%s says who may present a token', (rule) => {
  expect(parsed(configText({ issuer: `workload: ${rule}` })).token.issuers[0]!.workload).toBeDefined();
  expect(parsed(configText({ issuer: `actor: ${rule}` })).token.issuers[0]!.actor).toBeDefined();
});

test.each([
  ["{ spiffe_id: 'spiffe://{td}/web' }", 'is no SPIFFE ID with claims'],
  ["{ spiffe_id: 'spiffe://example.org' }", 'is no SPIFFE ID with claims'],
  ["{ spiffe_id: 'spiffe://example.org/{' }", 'is no SPIFFE ID with claims'],
  ["{ spiffe_id: '{sub}', claim: azp }", 'stands beside spiffe_id'],
  ['{ claim: azp }', 'is no rule'],
  ['{}', 'is no rule'],
  ['{ claim: azp, spiffe_ids: { web: web } }', ''],
])('%s does not', (rule, wrong) => {
  const [problem, more] = reported(configText({ issuer: `workload: ${rule}` }));
  expect(problem).toContain('token.issuers[0].workload');
  expect(problem).toContain(wrong);
  expect(more).toBeUndefined();
});

test('delegation is bounded', () => {
  expect(parsed(configText({ rest: '  delegation: { max_depth: 0 }' })).token.delegation.max_depth).toBe(0);
  expect(reported(configText({ rest: '  delegation: { max_depth: 17 }' }))).toHaveLength(1);
});
