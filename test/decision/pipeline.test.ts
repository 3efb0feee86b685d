import type { Decision } from '../../src/decision/decision.js';
import { REASON_CODES, REASONS } from '../../src/decision/reasons.js';
import { refuse } from '../../src/errors/refusal.js';
import type { IdentityCode } from '../../src/identity/types.js';
import type { PolicyCode } from '../../src/policy/types.js';
import type { TokenCode, TokenRequest } from '../../src/token/types.js';
import { facts, frontend, NOW, ordersToken, permit, pipeline, policy } from './fakes.js';

const open = { deadline: Number.POSITIVE_INFINITY };

describe('a decision', () => {
  test('allows what identity, token and policy all vouch for', async () => {
    const decision = await pipeline().decide(facts(), open);
    expect(decision).toMatchObject({
      outcome: 'allow',
      reason: 'allowed',
      at: NOW,
      identity: frontend,
      token: ordersToken,
    });
    expect(decision.policy).toMatchObject({
      revision: 'r1',
      entrypoint: 'mesh/authz/decision',
      result: permit,
    });
    expect(decision.id).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('is answered without a promise when every stage has its answer at hand', () => {
    expect(pipeline().decide(facts(), open)).not.toBeInstanceOf(Promise);
  });

  test('stops at the request that could not be understood', async () => {
    const decision = await pipeline().decide(refuse('path_refused', 'an encoded slash'), open);
    expect(decision).toMatchObject({ outcome: 'deny', reason: 'path_refused', detail: 'an encoded slash' });
  });

  test('asks the token stage only after the workload is known, and about that workload', async () => {
    const seen: TokenRequest[] = [];
    const verify = (request: TokenRequest) => (seen.push(request), ordersToken);
    await pipeline({ token: { verify } }).decide(
      facts({ route: { 'countersign.audience': 'orders' } }),
      open,
    );
    await pipeline({
      token: { verify },
      identity: { verify: () => refuse('certificate_missing', '') },
    }).decide(facts(), open);
    expect(seen).toEqual([
      {
        authorization: ['Bearer x'],
        peerThumbprint: frontend.thumbprint,
        presenter: frontend.spiffeId,
        header: expect.any(Function),
        http: facts().http,
        audience: 'orders',
        now: NOW,
      },
    ]);
  });

  test('never asks a policy about a workload or token that was refused', async () => {
    let asked = 0;
    const counting = policy(() => (asked++, permit));
    await pipeline({
      policy: () => counting,
      identity: { verify: () => refuse('certificate_expired', '') },
    }).decide(facts(), open);
    await pipeline({ policy: () => counting, token: { verify: () => refuse('token_expired', '') } }).decide(
      facts(),
      open,
    );
    expect(asked).toBe(0);
  });

  test("gives policy the verified facts beside Envoy's own", async () => {
    const { policy: evidence } = await pipeline().decide(facts(), open);
    expect(evidence?.input).toEqual({
      attributes: {},
      version: { ext_authz: 'v3' },
      identity: {
        source: 'certificate',
        spiffe_id: frontend.spiffeId,
        trust_domain: 'example.org',
        path: '/frontend',
        not_after: NOW / 1000 + 3600,
        fingerprint: frontend.fingerprint,
      },
      token: {
        issuer: 'https://idp.example.org',
        subject: 'alice',
        client_id: 'frontend',
        audience: ['orders'],
        scopes: ['orders:read'],
        roles: [],
        groups: [],
        actor: undefined,
        claims: { sub: 'alice' },
        issued_at: NOW / 1000 - 10,
        expires_at: NOW / 1000 + 300,
        binding: 'none',
        bindings: [],
        actors: [],
      },
      request: {
        method: 'GET',
        path: '/orders',
        raw_path: '/orders',
        query: '',
        host: 'shop',
        scheme: 'https',
      },
    });
  });

  test('reads the policy in force once, so that no decision sees two revisions', async () => {
    let swaps = 0;
    const slow = Promise.resolve(ordersToken);
    const decision = await pipeline({
      policy: () => policy(() => permit, `r${++swaps}`),
      token: { verify: () => slow },
    }).decide(facts(), open);
    expect(swaps).toBe(1);
    expect(decision.policy?.revision).toBe('r1');
  });

  test('denies while no policy has loaded', async () => {
    const decision = await pipeline({ policy: () => undefined }).decide(facts(), open);
    expect(decision).toMatchObject({ outcome: 'deny', reason: 'policy_unavailable' });
  });
});

describe('token mode', () => {
  const without = facts({ authorization: [] });

  test('required: no token is a refusal', async () => {
    expect((await pipeline().decide(without, open)).reason).toBe('token_missing');
  });

  test('optional: no token goes to policy without input.token, a bad one is still refused', async () => {
    const decision = await pipeline({ tokenMode: 'optional' }).decide(without, open);
    expect(decision.reason).toBe('allowed');
    expect(decision.policy?.input).not.toHaveProperty('token');
    const refused = pipeline({ tokenMode: 'optional', token: { verify: () => refuse('token_expired', '') } });
    expect((await refused.decide(facts(), open)).reason).toBe('token_expired');
  });

  test('off: the token is not looked at, and policy does not see it', async () => {
    const decision = await pipeline({
      tokenMode: 'off',
      token: { verify: () => refuse('token_expired', '') },
    }).decide(facts(), open);
    expect(decision.reason).toBe('allowed');
    expect(decision.policy?.input).not.toHaveProperty('token');
  });
});

describe("a route's context_extensions", () => {
  test('choose token mode and entrypoint', async () => {
    const route = { 'countersign.token': 'off', 'countersign.entrypoint': 'mesh/authz/other', team: 'shop' };
    const decision = await pipeline().decide(facts({ route, authorization: [] }), open);
    expect(decision).toMatchObject({ reason: 'allowed', policy: { entrypoint: 'mesh/authz/other' } });
  });

  test.each([
    [{ 'countersign.token': 'none' }, 'must be required, optional or off'],
    [{ 'countersign.audience': '' }, 'must not be empty'],
    [{ 'countersign.entrypoint': 'mesh/authz/nowhere' }, 'must be one of those compiled in'],
    [{ 'countersign.tokn': 'off' }, 'is not known'],
    [{ 'Countersign.token': 'required' }, 'is not known'],
    [{ 'countersign-audience': 'orders' }, 'is not known'],
    [{ countersign_entrypoint: 'x' }, 'is not known'],
  ])('refuse the request where they are not understood: %j', async (route, mend) => {
    const decision = await pipeline().decide(facts({ route }), open);
    expect(decision.reason).toBe('route_misconfigured');
    expect(decision.detail).toContain(mend);
  });
});

describe('deadlines', () => {
  test("trap 5: the caller's deadline is near: the answer is a denial, and the work is dropped", async () => {
    let asked = 0;
    const identity = { verify: () => (asked++, frontend) };
    for (const left of [-100, 0, 4]) {
      const decision = await pipeline({ identity }).decide(facts(), { deadline: NOW + left });
      expect(decision.reason).toBe('deadline_exceeded');
    }
    expect(asked).toBe(0);
  });

  test('a token that takes too long is a denial ahead of the deadline, never a wait', async () => {
    const never = new Promise<never>(() => {});
    const decision = await pipeline({ token: { verify: () => never } }).decide(facts(), {
      deadline: NOW + 30,
    });
    expect(decision.reason).toBe('deadline_exceeded');
  });

  test('a workload whose proof is asked for elsewhere is waited for, and no longer than the deadline', async () => {
    const later = { verify: async () => frontend };
    expect(await pipeline({ identity: later }).decide(facts(), open)).toMatchObject({
      reason: 'allowed',
      identity: frontend,
    });
    const gone = { verify: async () => refuse('wpt_replay_unavailable' as const, '') };
    expect((await pipeline({ identity: gone }).decide(facts(), open)).reason).toBe('wpt_replay_unavailable');
    const never = { verify: () => new Promise<never>(() => {}) };
    const decision = await pipeline({ identity: never }).decide(facts(), { deadline: NOW + 30 });
    expect(decision.reason).toBe('deadline_exceeded');
  });

  test('a token is asked about without a thumbprint where the workload has no certificate', async () => {
    const seen: TokenRequest[] = [];
    const verify = (request: TokenRequest) => (seen.push(request), ordersToken);
    const { thumbprint: _, fingerprint: __, ...tokenOnly } = frontend;
    await pipeline({ token: { verify }, identity: { verify: () => tokenOnly } }).decide(facts(), open);
    expect(seen[0]).not.toHaveProperty('peerThumbprint');
  });

  test('a deadline that passes while the token is verified is a denial, and no policy is asked', async () => {
    let now = NOW;
    let asked = 0;
    const counting = policy(() => (asked++, permit));
    const verify = async () => ((now += 100), ordersToken);
    const decision = await pipeline({ now: () => now, token: { verify }, policy: () => counting }).decide(
      facts(),
      {
        deadline: NOW + 50,
      },
    );
    expect(decision.reason).toBe('deadline_exceeded');
    expect(asked).toBe(0);
  });
});

describe('a defect', () => {
  const boom = () => {
    throw new Error('eyJhbGciOi secret');
  };
  test.each([
    ['identity', { identity: { verify: boom } }],
    ['token', { token: { verify: boom } }],
    ['token, later', { token: { verify: () => Promise.reject(new Error('secret')) } }],
    ['policy', { policy: () => policy(boom) }],
    ['policy source', { policy: boom }],
  ])(
    'trap 3: an exception in %s is a denial that tells nothing of its message',
    async (_stage, overrides) => {
      const decision = await pipeline(overrides).decide(facts(), open);
      expect(decision).toMatchObject({
        outcome: 'deny',
        reason: 'internal_error',
        detail: 'unexpected Error',
      });
      expect(JSON.stringify(decision)).not.toContain('secret');
    },
  );
});

describe('a TCP connection', () => {
  test('is decided on identity alone: no token is asked for, and policy sees no request', async () => {
    const { http: _http, ...tcp } = facts({ authorization: [] });
    const decision = await pipeline().decide(tcp, open);
    expect(decision.reason).toBe('allowed');
    expect(Object.keys(decision.policy!.input)).toEqual(['attributes', 'version', 'identity']);
  });
});

describe('every reason', () => {
  const raise: { [code: string]: () => Decision | Promise<Decision> } = {
    policy_denied: () =>
      pipeline({ policy: () => policy(() => ({ ...permit, allowed: false })) }).decide(facts(), open),
    insufficient_scope: () =>
      pipeline({ policy: () => policy(() => ({ ...permit, allowed: false, requiredScopes: ['a'] })) }).decide(
        facts(),
        open,
      ),
    route_misconfigured: () => pipeline().decide(facts({ route: { 'countersign.x': '' } }), open),
    deadline_exceeded: () => pipeline().decide(facts(), { deadline: 0 }),
    internal_error: () => pipeline({ now: () => NOW, policy: () => JSON.parse('') }).decide(facts(), open),
  };
  const raised = (code: string): Decision | Promise<Decision> => {
    if (raise[code]) return raise[code]();
    if (/^(certificate|spiffe_id|principal|trust|xfcc)_/.test(code))
      return pipeline({ identity: { verify: () => refuse(code as IdentityCode, '') } }).decide(facts(), open);
    if (code.startsWith('token_'))
      return pipeline({ token: { verify: () => refuse(code as TokenCode, '') } }).decide(facts(), open);
    if (code.startsWith('policy_'))
      return pipeline({ policy: () => policy(() => refuse(code as PolicyCode, '')) }).decide(facts(), open);
    return pipeline().decide(refuse(code as 'path_refused', ''), open);
  };

  test.each(REASON_CODES.filter((code) => code !== 'allowed'))(
    '%s denies with an explicit status',
    async (code) => {
      const decision = await raised(code);
      expect(decision).toMatchObject({ outcome: 'deny', reason: code });
      expect(decision.answer.allowed).toBe(false);
      expect(decision.answer.grpcStatus).toBe(REASONS[code].grpc);
      expect(decision.answer.grpcStatus).not.toBe(0);
      if (!decision.answer.allowed) {
        expect(decision.answer.httpStatus).toBe(REASONS[code].http);
        expect(decision.answer.httpStatus).toBeGreaterThanOrEqual(400);
        expect(JSON.parse(decision.answer.body)).toMatchObject({ reason: code, decision_id: decision.id });
      }
    },
  );
});
