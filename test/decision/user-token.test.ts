import type { PipelineOptions } from '../../src/decision/pipeline.js';
import type { UserTokenOptions } from '../../src/decision/user-token.js';
import { refuse } from '../../src/errors/refusal.js';
import type { TokenRequest, TokenVerifier, VerifiedToken } from '../../src/token/types.js';
import { facts, frontend, NOW, ordersToken, permit, pipeline, policy } from './fakes.js';

const open = { deadline: Infinity };
const alice: VerifiedToken = { ...ordersToken, issuer: 'https://login.example.org', subject: 'alice' };

/** A pipeline that looks for a user's token in `x-user`, what its verifier was asked, and what the policy saw. */
function setUp(
  outcome: ReturnType<TokenVerifier['verify']> = alice,
  options: Partial<UserTokenOptions> = {},
  others: Partial<PipelineOptions> = {},
) {
  const asked: TokenRequest[] = [];
  const inputs: { readonly [name: string]: unknown }[] = [];
  const verifier: TokenVerifier = {
    verify(request) {
      asked.push(request);
      return request.authorization.length === 0 ? refuse('token_missing', 'no header') : outcome;
    },
  };
  const inForce = policy((_, input) => {
    inputs.push(input as { readonly [name: string]: unknown });
    return permit;
  });
  const { decide } = pipeline({
    userToken: { header: 'x-user', mode: 'optional', verifier, ...options },
    policy: () => inForce,
    ...others,
  });
  const ask = (lines: readonly string[], route: { readonly [name: string]: string } = {}) =>
    decide(facts({ header: (name) => (name === 'x-user' ? lines : []), route }), open);
  return { ask, asked, inputs };
}

describe("a user's token", () => {
  test('is verified as one that this workload presents, and stands beside the access token', async () => {
    const { ask, asked, inputs } = setUp();
    expect(await ask(['Bearer aaa'])).toMatchObject({ reason: 'allowed', token: ordersToken });
    expect(asked).toEqual([
      {
        authorization: ['Bearer aaa'],
        peerThumbprint: frontend.thumbprint,
        presenter: frontend.spiffeId,
        now: NOW,
      },
    ]);
    expect(inputs[0]).toMatchObject({
      token: { issuer: 'https://idp.example.org' },
      user_token: { issuer: 'https://login.example.org', subject: 'alice' },
    });
  });

  test('may be written without Bearer; two of them go to the verifier as two, which refuses them', async () => {
    const { ask, asked } = setUp();
    await ask(['aaa']);
    await ask(['bearer aaa', 'bbb']);
    expect(asked.map(({ authorization }) => authorization)).toEqual([
      ['Bearer aaa'],
      ['bearer aaa', 'Bearer bbb'],
    ]);
  });

  test('may be missing where it is optional, and then is not there', async () => {
    const { ask, inputs } = setUp();
    expect(await ask([])).toMatchObject({ reason: 'allowed' });
    expect(inputs[0]).not.toHaveProperty('user_token');
  });

  test('may not be missing where it is required', async () => {
    const { ask, inputs } = setUp(alice, { mode: 'required' });
    expect(await ask([])).toMatchObject({
      reason: 'user_token_missing',
      detail: 'x-user: token_missing: no header',
      answer: { httpStatus: 401 },
    });
    expect(inputs).toEqual([]);
  });

  test.each([
    ['token_expired', 'user_token_refused', 401],
    ['token_duplicate', 'user_token_refused', 401],
    ['token_presenter_refused', 'user_token_refused', 401],
    ['token_keys_unavailable', 'user_token_unavailable', 503],
    ['token_introspection_unavailable', 'user_token_unavailable', 503],
  ] as const)('that gets %s gives %s, optional or not', async (code, reason, httpStatus) => {
    for (const mode of ['optional', 'required'] as const) {
      const { ask, inputs } = setUp(refuse(code, 'as it is'), { mode });
      expect(await ask(['aaa'])).toMatchObject({
        reason,
        detail: `x-user: ${code}: as it is`,
        answer: { httpStatus },
      });
      expect(inputs).toEqual([]);
    }
  });

  test("that is somebody else's shows as theft", async () => {
    const misuse = { token: alice, boundBy: 'presenters' as const, boundTo: alice.issuer };
    const { ask } = setUp({ ...refuse('token_presenter_refused', ''), misuse });
    expect(await ask(['aaa'])).toMatchObject({ reason: 'user_token_refused', misuse });
  });

  test('that was taken back is refused', async () => {
    const revocations = {
      identity: () => undefined,
      token: (token: VerifiedToken) => (token === alice ? refuse('token_revoked', 'a user') : undefined),
    };
    const { ask } = setUp(alice, {}, { revocations: revocations as never });
    expect(await ask(['aaa'])).toMatchObject({
      reason: 'user_token_refused',
      detail: 'x-user: token_revoked: a user',
    });
    expect(await ask([])).toMatchObject({ reason: 'allowed' });
  });

  test('does not keep a workload in that is shut out while its request waits', async () => {
    let shutOut = false;
    const revocations = {
      identity: () => (shutOut ? refuse('identity_revoked', 'entry 1') : undefined),
      token: () => undefined,
    };
    let verified: (token: VerifiedToken) => void = () => {};
    const waiting = new Promise<VerifiedToken>((resolve) => (verified = resolve));
    const { ask, inputs } = setUp(waiting, {}, { revocations: revocations as never });
    const decision = ask(['aaa']);
    shutOut = true;
    verified(alice);
    expect(await decision).toMatchObject({ reason: 'identity_revoked' });
    expect(inputs).toEqual([]);
  });

  test('is waited for no longer than the caller waits', async () => {
    const decision = pipeline({
      userToken: { header: 'x-user', mode: 'optional', verifier: { verify: () => new Promise(() => {}) } },
    }).decide(facts({ header: () => ['aaa'] }), { deadline: NOW + 30 });
    expect(await decision).toMatchObject({ reason: 'deadline_exceeded' });
  });

  test('is waited for where it is not known yet', async () => {
    const { ask, inputs } = setUp(Promise.resolve(alice));
    expect(await ask(['aaa'])).toMatchObject({ reason: 'allowed' });
    expect(inputs[0]).toMatchObject({ user_token: { subject: 'alice' } });
  });

  test('is asked for, or not looked at, as the route says', async () => {
    const { ask, asked } = setUp();
    expect(await ask([], { 'countersign.user_token': 'required' })).toMatchObject({
      reason: 'user_token_missing',
    });
    asked.length = 0;
    expect(await ask(['aaa'], { 'countersign.user_token': 'off' })).toMatchObject({ reason: 'allowed' });
    expect(asked).toEqual([]);
    expect(await ask([], { 'countersign.user_token': 'maybe' })).toMatchObject({
      reason: 'route_misconfigured',
    });
  });

  test('is verified also where a route needs no access token', async () => {
    const { ask, inputs } = setUp();
    await ask(['aaa'], { 'countersign.token': 'off' });
    expect(inputs[0]).toMatchObject({ user_token: { subject: 'alice' } });
    expect(inputs[0]).not.toHaveProperty('token');
  });

  test('cannot be asked for by a route where none is configured', async () => {
    const decision = await pipeline().decide(
      facts({ route: { 'countersign.user_token': 'required' } }),
      open,
    );
    expect(decision).toMatchObject({
      reason: 'route_misconfigured',
      detail: 'context_extensions: countersign.user_token needs token.user in the configuration',
    });
  });
});
