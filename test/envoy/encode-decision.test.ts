import { randomUUID } from 'node:crypto';
import { createDecisionEncoder } from '../../src/envoy/encode-decision.js';
import { encodeCheckResponse } from '../../src/envoy/encode-response.js';
import { toCheckResponse } from '../../src/envoy/response.js';
import { refuse } from '../../src/errors/refusal.js';
import type { Decision } from '../../src/decision/decision.js';
import { facts, frontend, ordersToken, permit, pipeline, policy } from '../decision/fakes.js';

const open = { deadline: Number.POSITIVE_INFINITY };
const afresh = (decision: Decision) => encodeCheckResponse(toCheckResponse(decision));

/** Decisions of one pipeline whose parts are picked anew each time. */
function decide(overrides: Parameters<typeof pipeline>[0], forgedHeaders: string[] = []): Decision {
  const decision = pipeline(overrides).decide(facts({ forgedHeaders }), open);
  if (decision instanceof Promise) throw new Error('nothing here has to be waited for');
  return decision;
}

test('an answer that was given before is given with the id of its own decision', () => {
  const encode = createDecisionEncoder();
  const ids = new Set<string>();
  for (let n = 0; n < 5; n++) {
    const decision = decide({});
    const bytes = encode(decision, []);
    expect(bytes).toEqual(afresh(decision));
    expect(bytes.toString('latin1').split(decision.id)).toHaveLength(3); // header and metadata
    ids.add(decision.id);
  }
  expect(ids.size).toBe(5);
});

test('an answer with the next nonce of a client is written for it alone', () => {
  const encode = createDecisionEncoder();
  let made = 0;
  const dpop = { algorithms: 'ES256', nonceRequired: true, nonce: () => `n0nce-${++made}` };
  for (let n = 1; n < 5; n++) {
    const decision = pipeline({ dpop }).decide(facts({ authorization: ['DPoP x'] }), open) as Decision;
    expect(encode(decision, []).toString('latin1')).toContain(`n0nce-${n}`);
  }
});

test('a denial that was given before is given with the id of its own decision, in its body, too', () => {
  const encode = createDecisionEncoder();
  const denied = () => decide({ token: { verify: () => refuse('token_missing', 'none') } });
  for (let n = 0; n < 4; n++) {
    const decision = denied();
    const bytes = encode(decision, [`x-countersign-${n}`]);
    expect(bytes).toEqual(afresh(decision));
    expect(bytes.toString('latin1').split(decision.id)).toHaveLength(4); // body, header and metadata
  }
});

test('a denial with a nonce is written for its client alone', () => {
  const encode = createDecisionEncoder();
  let made = 0;
  const dpop = { algorithms: 'ES256', nonceRequired: true, nonce: () => `n0nce-${++made}` };
  const token = { verify: () => refuse('dpop_nonce_required', 'none') };
  for (let n = 1; n < 5; n++)
    expect(encode(decide({ dpop, token }), []).toString('latin1')).toContain(`n0nce-${n}`);
});

test('whoever changes an answer that was handed out changes no later one', () => {
  const encode = createDecisionEncoder();
  for (let n = 0; n < 4; n++) {
    const decision = decide({});
    const bytes = encode(decision, []);
    expect(bytes).toEqual(afresh(decision));
    bytes.fill(0);
  }
});

test('in any order of identities, tokens, results, revisions and forged headers each decision has its own answer', () => {
  const identities = [frontend, { ...frontend, spiffeId: 'spiffe://example.org/other' }];
  const tokens = [ordersToken, { ...ordersToken, subject: 'bob' }, refuse('token_missing', '')] as const;
  const results = [
    permit,
    { ...permit, headers: [['x-tenant', 'a']] as const },
    { ...permit, allowed: false },
    { ...permit, allowed: false, requiredScopes: ['orders:write'], body: 'no' },
  ];
  const dpop = { algorithms: 'ES256', nonceRequired: false, nonce: () => 'n0nce' };
  const challenges = [
    {},
    { dpop },
    { dpop, binding: 'dpop' as const },
    { resourceMetadata: 'https://rs.example.org/m' },
  ];
  const pick = <T>(of: readonly T[]): T => of[Math.floor(Math.random() * of.length)]!;
  const encode = createDecisionEncoder();
  for (let n = 0; n < 3000; n++) {
    const [identity, token, result] = [pick(identities), pick(tokens), pick(results)];
    const forged = pick([[], [], [`x-countersign-${randomUUID()}`]]);
    const inForce = policy(() => result, pick(['r1', 'r2']));
    const tokenMode = pick(['optional', 'required'] as const);
    const parts = { tokenMode, policy: () => inForce, ...pick(challenges) };
    const decision = decide(
      { ...parts, identity: { verify: () => identity }, token: { verify: () => token } },
      forged,
    );
    expect(encode(decision, forged).equals(afresh(decision))).toBe(true);
  }
});
