import { refuse } from '../../src/errors/refusal.js';
import type { Broker, BrokerRequest } from '../../src/broker/types.js';
import { createDecisionEncoder } from '../../src/envoy/encode-decision.js';
import type { PipelineOptions } from '../../src/decision/pipeline.js';
import { createDecisionLog } from '../../src/telemetry/decision-log.js';
import { facts, frontend, NOW, ordersToken, permit, pipeline, policy, upstreamToken, wish } from './fakes.js';

const open = { deadline: Infinity };

/** A pipeline whose policy wants a token for the upstream. */
function setUp(outcome: ReturnType<Broker['obtain']>, more: Partial<PipelineOptions> = {}, result = {}) {
  const asked: BrokerRequest[] = [];
  const broker: Broker = {
    obtain(request) {
      asked.push(request);
      return outcome;
    },
  };
  const inForce = policy(() => ({ ...permit, upstreamToken: wish, ...result }));
  const { decide } = pipeline({ policy: () => inForce, broker, ...more });
  return { decide: (overrides = {}) => decide(facts(overrides), open), asked };
}

describe('a policy that wants a token for the upstream', () => {
  test("gets it in place of the caller's, whose proof goes as well", async () => {
    const { decide, asked } = setUp(
      upstreamToken,
      {},
      { requestHeadersToRemove: ['Authorization', 'x-other'] },
    );
    const decision = decide();
    expect(decision).not.toBeInstanceOf(Promise);
    const { answer } = await decision;
    expect(answer).toMatchObject({ allowed: true });
    if (!answer.allowed) return;
    expect(answer.requestHeaders.at(-1)).toEqual(['authorization', 'Bearer s3cret-token']);
    expect(answer.requestHeadersToRemove).toEqual(expect.arrayContaining(['dpop', 'x-other']));
    expect(answer.requestHeadersToRemove).not.toContain('Authorization');
    expect(asked).toMatchObject([
      { wish, identity: frontend, token: ordersToken, authorization: ['Bearer x'], now: NOW },
    ]);
  });

  test('gets it in another header, and then the access token stays', async () => {
    const { answer } = await setUp({ ...upstreamToken, header: 'x-upstream' }).decide();
    expect(answer.allowed && answer.requestHeaders.at(-1)).toEqual(['x-upstream', 'Bearer s3cret-token']);
    expect(answer.allowed && answer.requestHeadersToRemove).not.toContain('dpop');
  });

  test.each([
    ['upstream_token_not_allowed', 403],
    ['upstream_token_subject_missing', 403],
    ['upstream_token_refused', 403],
    ['upstream_token_unavailable', 503],
  ] as const)('is not followed with %s', async (code, httpStatus) => {
    const decision = await setUp(Promise.resolve(refuse(code, 'why'))).decide();
    expect(decision).toMatchObject({ outcome: 'deny', reason: code, detail: 'why', answer: { httpStatus } });
    expect(decision.policy?.result).toMatchObject({ allowed: true });
  });

  test('asks for nothing where it denies', async () => {
    const { decide, asked } = setUp(upstreamToken, {}, { allowed: false });
    expect(await decide()).toMatchObject({ reason: 'policy_denied' });
    expect(asked).toEqual([]);
  });

  test('is not followed where nothing is configured, nor on TCP', async () => {
    const denied = { outcome: 'deny', reason: 'upstream_token_not_allowed' };
    expect(await setUp(upstreamToken, { broker: undefined }).decide()).toMatchObject(denied);
    expect(await setUp(upstreamToken).decide({ http: undefined })).toMatchObject(denied);
  });

  test('is not waited for beyond the deadline', async () => {
    const { decide } = pipeline({
      policy: () => policy(() => ({ ...permit, upstreamToken: wish })),
      broker: { obtain: () => new Promise(() => {}) },
    });
    expect(await decide(facts(), { deadline: NOW + 30 })).toMatchObject({ reason: 'deadline_exceeded' });
  });

  test.each(['workload', 'token'])('lets nobody in whose %s was revoked meanwhile', async (what) => {
    let now = NOW;
    const late = (code: 'identity_revoked' | 'token_revoked', at: number) =>
      at > NOW && code.startsWith(what === 'token' ? 'token' : 'identity') ? refuse(code, '') : undefined;
    const { decide } = setUp(
      new Promise((resolve) =>
        setImmediate(() => {
          now += 10;
          resolve(upstreamToken);
        }),
      ),
      {
        now: () => now,
        revocations: {
          identity: (_, at) => late('identity_revoked', at) as never,
          token: (_, __, at) => late('token_revoked', at) as never,
          available: () => true,
        },
      },
    );
    expect(await decide()).toMatchObject({
      outcome: 'deny',
      reason: `${what === 'token' ? 'token' : 'identity'}_revoked`,
    });
  });

  test('has an answer that is never given again, and a log that does not hold the token', async () => {
    let n = 0;
    const inForce = policy(() => ({ ...permit, upstreamToken: wish }));
    const { decide } = pipeline({
      policy: () => inForce,
      broker: { obtain: () => ({ ...upstreamToken, value: `Bearer s3cret-${++n}` }) },
    });
    const encode = createDecisionEncoder();
    const lines: string[] = [];
    const log = createDecisionLog({
      labels: {},
      destination: { write: (line) => void lines.push(line) },
      onDrop: (cause) => {
        throw new Error(cause);
      },
    });
    for (let request = 1; request <= 4; request++) {
      const decision = await decide(facts(), open);
      expect(encode(decision, []).toString('latin1')).toContain(`Bearer s3cret-${request}`);
      log.record({ decision, facts: facts(), durations: { facts: 1, response: 1, total: 1 } } as never);
    }
    expect(JSON.parse(lines[0]!)).toMatchObject({
      upstream_token: { ...wish, obtained: 'server', expires_at: '2030-01-01T00:05:00.000Z' },
      result: { upstream_token: wish },
    });
    expect(lines.join('')).not.toContain('s3cret');
  });
});
