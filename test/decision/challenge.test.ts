import type { Decision, Deny } from '../../src/decision/decision.js';
import type { DpopTerms } from '../../src/decision/pipeline.js';
import type { RequestFacts } from '../../src/decision/facts.js';
import { refuse } from '../../src/errors/refusal.js';
import type { BindingRequirement, TokenCode } from '../../src/token/types.js';
import type { PolicyResult } from '../../src/policy/types.js';
import { facts, ordersToken, permit, pipeline, policy } from './fakes.js';

const open = { deadline: Number.POSITIVE_INFINITY };
const DPOP: DpopTerms = { algorithms: 'ES256 PS256', nonceRequired: false, nonce: () => 'n0nce' };
const BEARER = { authorization: ['Bearer x'] };
const PROVING = { authorization: ['DPoP x'] };

interface Case {
  readonly code: TokenCode;
  readonly request?: Partial<RequestFacts>;
  readonly binding?: BindingRequirement;
  readonly dpop?: DpopTerms;
}

async function challenged({ code, request = BEARER, binding, dpop = DPOP }: Case) {
  const { answer } = await pipeline({
    token: { verify: () => refuse(code, '') },
    dpop,
    ...(binding && { binding }),
  }).decide(facts(request), open);
  const { headers } = answer as Deny;
  const named = (name: string) => headers.filter(([key]) => key === name).map(([, value]) => value);
  return { challenges: named('www-authenticate'), nonces: named('dpop-nonce') };
}

describe('the challenge', () => {
  test.each<[Case, string[]]>([
    [{ code: 'token_expired' }, ['Bearer realm="countersign", error="invalid_token"']],
    [
      { code: 'token_expired', request: PROVING },
      ['DPoP realm="countersign", error="invalid_token", algs="ES256 PS256"'],
    ],
    [{ code: 'dpop_proof_missing' }, ['DPoP realm="countersign", error="invalid_token", algs="ES256 PS256"']],
    [
      { code: 'dpop_proof_replayed', request: PROVING },
      ['DPoP realm="countersign", error="invalid_dpop_proof", algs="ES256 PS256"'],
    ],
    [{ code: 'dpop_unavailable', request: PROVING }, []],
    [{ code: 'token_missing' }, ['Bearer realm="countersign"']],
    [{ code: 'token_missing', binding: 'dpop' }, ['DPoP realm="countersign", algs="ES256 PS256"']],
    [{ code: 'token_missing', binding: 'x5t#S256' }, ['Bearer realm="countersign"']],
    [
      { code: 'token_missing', binding: 'required' },
      ['DPoP realm="countersign", algs="ES256 PS256"', 'Bearer realm="countersign"'],
    ],
    [
      { code: 'token_binding_required', binding: 'dpop' },
      ['DPoP realm="countersign", error="invalid_token", algs="ES256 PS256"'],
    ],
  ])('of %j is %j', async (of, challenges) => {
    expect(await challenged(of)).toEqual({ challenges, nonces: [] });
  });

  test("is for the route's own binding", async () => {
    const request = { ...BEARER, route: { 'countersign.binding': 'dpop' } };
    expect((await challenged({ code: 'token_missing', request })).challenges).toEqual([
      'DPoP realm="countersign", algs="ES256 PS256"',
    ]);
  });

  test('hands out a nonce where one has to be used', async () => {
    expect(await challenged({ code: 'dpop_nonce_required', request: PROVING })).toEqual({
      challenges: ['DPoP realm="countersign", error="use_dpop_nonce", algs="ES256 PS256"'],
      nonces: ['n0nce'],
    });
  });

  test('hands out the next nonce with every denial of a proof where each proof needs one', async () => {
    const dpop = { ...DPOP, nonceRequired: true };
    expect((await challenged({ code: 'dpop_proof_expired', request: PROVING, dpop })).nonces).toEqual([
      'n0nce',
    ]);
    expect((await challenged({ code: 'token_expired', dpop })).nonces).toEqual([]);
  });
});

describe('the next nonce', () => {
  const allowed = async (dpop: DpopTerms, request: Partial<RequestFacts>): Promise<Decision> =>
    pipeline({ token: { verify: () => ordersToken }, dpop }).decide(facts(request), open);

  test('comes with the answer where each proof needs one, to those who make proofs', async () => {
    const dpop = { ...DPOP, nonceRequired: true };
    const headers = { responseHeadersToAdd: [['dpop-nonce', 'n0nce']] };
    expect((await allowed(dpop, PROVING)).answer).toMatchObject(headers);
    expect((await allowed(dpop, BEARER)).answer).toMatchObject({ responseHeadersToAdd: [] });
    expect((await allowed(DPOP, PROVING)).answer).toMatchObject({ responseHeadersToAdd: [] });
  });
});

describe('a policy that asks for a stronger authentication', () => {
  const denied = async (result: Partial<PolicyResult>, request: Partial<RequestFacts> = {}) => {
    const asked = policy(() => ({ ...permit, allowed: false, ...result }));
    const decision = await pipeline({
      policy: () => asked,
      dpop: DPOP,
      tokenMode: 'optional',
      resourceMetadata: 'https://orders.example.org/.well-known/oauth-protected-resource',
    }).decide(facts(request), open);
    const { headers, httpStatus } = decision.answer as Deny;
    return {
      reason: decision.reason,
      httpStatus,
      challenges: headers.filter(([name]) => name === 'www-authenticate').map(([, value]) => value),
    };
  };
  const metadata = 'resource_metadata="https://orders.example.org/.well-known/oauth-protected-resource"';

  test('has it told to the client, with the scopes that it needs besides', async () => {
    const stepUp = { acrValues: ['urn:silver', 'urn:gold'], maxAge: 300 };
    expect(await denied({ stepUp, requiredScopes: ['pay'] })).toEqual({
      reason: 'insufficient_user_authentication',
      httpStatus: 401,
      challenges: [
        `Bearer realm="countersign", error="insufficient_user_authentication", scope="pay", acr_values="urn:silver urn:gold", max_age="300", ${metadata}`,
      ],
    });
    expect((await denied({ stepUp: { acrValues: [], maxAge: 0 } })).challenges[0]).toContain('max_age="0"');
  });

  test('of a client that makes proofs is told by that scheme', async () => {
    const { challenges } = await denied({ stepUp: { acrValues: ['a'] } }, PROVING);
    expect(challenges).toEqual([
      `DPoP realm="countersign", error="insufficient_user_authentication", acr_values="a", ${metadata}, algs="ES256 PS256"`,
    ]);
  });

  test('only denies where no token came', async () => {
    const answer = await denied({ stepUp: { acrValues: ['a'] } }, { authorization: [] });
    expect(answer).toEqual({ reason: 'policy_denied', httpStatus: 403, challenges: [] });
  });

  test("names the route's own metadata where it has some, in every challenge", async () => {
    const route = { 'countersign.resource_metadata': 'https://pay.example.org/metadata' };
    const { challenges } = await denied({ requiredScopes: ['pay'] }, { route });
    expect(challenges).toEqual([
      'Bearer realm="countersign", error="insufficient_scope", scope="pay", resource_metadata="https://pay.example.org/metadata"',
    ]);
    for (const wrong of ['', 'metadata', 'https://a"b', 'https://a b'])
      expect(await denied({}, { route: { 'countersign.resource_metadata': wrong } })).toMatchObject({
        reason: 'route_misconfigured',
      });
  });
});
