import type { Decision, Deny } from '../../src/decision/decision.js';
import type { DpopTerms } from '../../src/decision/pipeline.js';
import type { RequestFacts } from '../../src/decision/facts.js';
import { refuse } from '../../src/errors/refusal.js';
import type { BindingRequirement, TokenCode } from '../../src/token/types.js';
import { facts, ordersToken, pipeline } from './fakes.js';

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
