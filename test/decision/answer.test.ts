import { headerValue } from '../../src/decision/answer.js';
import type { Allow, Deny } from '../../src/decision/decision.js';
import { refuse } from '../../src/errors/refusal.js';
import type { PolicyResult } from '../../src/policy/types.js';
import { facts, ordersToken, permit, pipeline, policy } from './fakes.js';

const open = { deadline: Number.POSITIVE_INFINITY };

async function denied(overrides: Parameters<typeof pipeline>[0]): Promise<Deny> {
  return (await pipeline(overrides).decide(facts(), open)).answer as Deny;
}

async function answered(result: Partial<PolicyResult>, request = facts()) {
  const decision = await pipeline({ policy: () => policy(() => ({ ...permit, ...result })) }).decide(
    request,
    open,
  );
  return { decision, answer: decision.answer };
}

describe('an answer that allows', () => {
  test('tells the upstream who called, for whom, and under which decision', async () => {
    const { decision, answer } = await answered({ headers: [['x-tenant', 'a']] });
    expect((answer as Allow).requestHeaders).toEqual([
      ['x-tenant', 'a'],
      ['x-countersign-spiffe-id', 'spiffe://example.org/frontend'],
      ['x-countersign-decision-id', decision.id],
      ['x-countersign-subject', 'alice'],
    ]);
  });

  test('trap 7: a header of ours that the client sent and that we have no value for is removed', async () => {
    const forgedHeaders = ['x-countersign-subject', 'x-countersign-spiffe-id', 'x-countersign-role'];
    const decision = await pipeline({ tokenMode: 'off' }).decide(facts({ forgedHeaders }), open);
    expect((decision.answer as Allow).requestHeadersToRemove).toEqual([
      'x_countersign_spiffe_id',
      'x-countersign-subject',
      'x_countersign_subject',
      'x_countersign_decision_id',
      'x-countersign-role',
    ]);
  });

  test('trap 7: one that Envoy was told not to show us is removed as well', async () => {
    const decision = await pipeline({ tokenMode: 'off' }).decide(facts({ forgedHeaders: [] }), open);
    expect((decision.answer as Allow).requestHeadersToRemove).toContain('x-countersign-subject');
  });

  test('files subject, client and SPIFFE ID as metadata for the access log, beside what the policy adds', async () => {
    const { decision, answer } = await answered({ dynamicMetadata: { tier: 'gold' }, reason: 'in hours' });
    expect(answer.dynamicMetadata).toEqual({
      tier: 'gold',
      countersign: {
        decision_id: decision.id,
        outcome: 'allow',
        reason: 'allowed',
        spiffe_id: 'spiffe://example.org/frontend',
        issuer: 'https://idp.example.org',
        subject: 'alice',
        client_id: 'frontend',
        policy_revision: 'r1',
        policy_reason: 'in hours',
      },
    });
  });
});

describe('an answer that denies', () => {
  test('trap 79: no token: the challenge has no error code', async () => {
    const answer = await denied({ token: { verify: () => refuse('token_missing', '') } });
    expect(answer.httpStatus).toBe(401);
    expect(answer.headers).toContainEqual(['www-authenticate', 'Bearer realm="countersign"']);
  });

  test('a refused token: RFC 6750 invalid_token', async () => {
    const answer = await denied({ token: { verify: () => refuse('token_expired', 'exp 12 is past') } });
    expect(answer.httpStatus).toBe(401);
    expect(answer.headers).toContainEqual([
      'www-authenticate',
      'Bearer realm="countersign", error="invalid_token"',
    ]);
  });

  test('trap 80: a scope too low: 403 that names the scopes', async () => {
    const { answer } = await answered({ allowed: false, requiredScopes: ['orders:write', 'a"b'] });
    expect(answer).toMatchObject({ httpStatus: 403 });
    expect((answer as Deny).headers).toContainEqual([
      'www-authenticate',
      'Bearer realm="countersign", error="insufficient_scope", scope="orders:write"',
    ]);
  });

  test('trap 13: a challenge of the policy stands beside ours', async () => {
    const { answer } = await answered({
      allowed: false,
      requiredScopes: ['a'],
      headers: [['WWW-Authenticate', 'DPoP algs="ES256"']],
    });
    expect(
      (answer as Deny).headers.filter(([name]) => name.toLowerCase() === 'www-authenticate'),
    ).toHaveLength(2);
  });

  test('trap 2: a denial by policy has its own status, headers and body, and ours where it gives none', async () => {
    const { decision, answer } = await answered({ allowed: false });
    expect(answer).toMatchObject({ httpStatus: 403, grpcStatus: 7 });
    expect(JSON.parse((answer as Deny).body)).toEqual({
      error: 'access_denied',
      reason: 'policy_denied',
      decision_id: decision.id,
    });
    expect((answer as Deny).headers).toContainEqual(['content-type', 'application/json']);
    const { answer: own } = await answered({
      allowed: false,
      httpStatus: 302,
      body: 'go',
      headers: [['location', '/in']],
    });
    expect(own).toMatchObject({ httpStatus: 302, body: 'go' });
    expect((own as Deny).headers.map(([name]) => name)).toEqual(['location', 'x-countersign-decision-id']);
  });

  test('gives nothing away that the caller did not send', async () => {
    const secret = 'spiffe://example.org/secret-upstream';
    const answer = await denied({ identity: { verify: () => refuse('certificate_untrusted', secret) } });
    expect(JSON.stringify([answer.headers, answer.body])).not.toContain('secret');
    const { answer: policys } = await answered({
      allowed: false,
      reason: 'rule 7 of the secret list',
      reasons: ['secret'],
    });
    expect(JSON.stringify([(policys as Deny).headers, (policys as Deny).body])).not.toContain('secret');
  });

  test('keys that cannot be had are no reason to throw the token away', async () => {
    const answer = await denied({ token: { verify: () => refuse('token_keys_unavailable', '') } });
    expect(answer.httpStatus).toBe(503);
    expect(JSON.parse(answer.body)).toMatchObject({ error: 'temporarily_unavailable' });
    expect(answer.headers.map(([name]) => name)).not.toContain('www-authenticate');
  });
});

describe('a subject in a header', () => {
  test.each([
    ['alice', 'alice'],
    ['spiffe://example.org/a?b', 'spiffe://example.org/a?b'],
    ['a b', 'a%20b'],
    ['a%20b', 'a%2520b'],
    ['a\r\nx-admin: 1', 'a%0D%0Ax-admin:%201'],
    ['zoë', 'zo%C3%AB'],
  ])('%j is written as %j', async (subject, written) => {
    expect(headerValue(subject)).toBe(written);
    const decision = await pipeline({ token: { verify: () => ({ ...ordersToken, subject }) } }).decide(
      facts(),
      open,
    );
    expect((decision.answer as Allow).requestHeaders).toContainEqual(['x-countersign-subject', written]);
  });
});
