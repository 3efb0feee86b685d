import { REASON_CODES } from '../../src/decision/reasons.js';
import { refuse } from '../../src/errors/refusal.js';
import { createMetrics } from '../../src/telemetry/metrics.js';
import { frontend, NOW } from '../decision/fakes.js';
import { checkRequest, observe } from './observations.js';

/** The sample lines of our own metrics, by name and labels. */
async function samples(metrics: ReturnType<typeof createMetrics>): Promise<Map<string, number>> {
  const lines = (await metrics.text()).split('\n').filter((line) => line.startsWith('countersign_'));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]));
}

function setUp() {
  const state = {
    jwks: [{ issuer: 'https://idp.example.org', keys: 2, stale: false, lastSuccess: NOW }] as object[],
    trustBundles: [{ trustDomain: 'example.org', lastSuccess: NOW }] as object[],
    policy: { revision: 'r1', loadedAt: NOW } as { revision: string; loadedAt: number } | undefined,
  };
  const metrics = createMetrics('1.2.3', {
    jwks: () => state.jwks as never,
    trustBundles: () => state.trustBundles as never,
    policy: () => state.policy as never,
  });
  return { metrics, state };
}

describe('metrics', () => {
  test('count decisions by outcome and reason, and time them and their stages', async () => {
    const { metrics } = setUp();
    metrics.observe(await observe());
    metrics.observe(await observe());
    metrics.observe(await observe(checkRequest()));
    const found = await samples(metrics);
    expect(found.get('countersign_decisions_total{outcome="allow",reason="allowed"}')).toBe(2);
    expect(found.get('countersign_decisions_total{outcome="deny",reason="token_missing"}')).toBe(1);
    expect(found.get('countersign_decision_duration_seconds_count')).toBe(3);
    expect(found.get('countersign_decision_duration_seconds_sum')).toBeCloseTo(0.0015, 9);
    const count = (stage: string) => found.get(`countersign_stage_duration_seconds_count{stage="${stage}"}`);
    expect(['facts', 'identity', 'token', 'policy', 'response'].map(count)).toEqual([3, 3, 3, 2, 3]);
  });

  test('have no label that a caller can make up', async () => {
    const { metrics } = setUp();
    for (let index = 0; index < 50; index++) {
      const request = checkRequest({
        path: `/path-${index}`,
        host: `host-${index}`,
        headers: { authorization: `Bearer ${index}` },
      });
      metrics.observe(await observe(request));
      metrics.observe(
        await observe(request, { identity: { verify: () => refuse('certificate_untrusted', `${index}`) } }),
      );
    }
    const text = await metrics.text();
    expect(text).not.toContain('path-1');
    expect(text).not.toContain('host-1');
    expect(text).not.toContain(frontend.spiffeId);
    expect(text).not.toContain('alice');
    const decisions = text.split('\n').filter((line) => line.startsWith('countersign_decisions_total'));
    expect(decisions).toHaveLength(2);
    for (const [, reason] of text.matchAll(/reason="([^"]*)"/g)) expect(REASON_CODES).toContain(reason);
  });

  test('say how fresh keys, trust bundles and policy are, and forget what is gone', async () => {
    const { metrics, state } = setUp();
    const before = await samples(metrics);
    const issuer = '{issuer="https://idp.example.org"}';
    expect(before.get(`countersign_jwks_keys${issuer}`)).toBe(2);
    expect(before.get(`countersign_jwks_stale${issuer}`)).toBe(0);
    expect(before.get(`countersign_jwks_last_success_timestamp_seconds${issuer}`)).toBe(NOW / 1000);
    expect(
      before.get('countersign_trust_bundle_last_success_timestamp_seconds{trust_domain="example.org"}'),
    ).toBe(NOW / 1000);
    expect(before.get('countersign_policy_loaded_timestamp_seconds')).toBe(NOW / 1000);
    expect(before.get('countersign_policy_info{revision="r1"}')).toBe(1);

    state.jwks = [{ issuer: 'https://idp.example.org', keys: 0, stale: true }];
    state.trustBundles = [];
    state.policy = { revision: 'r2', loadedAt: NOW + 1000 };
    const after = await samples(metrics);
    expect(after.get(`countersign_jwks_stale${issuer}`)).toBe(1);
    expect(after.has(`countersign_jwks_last_success_timestamp_seconds${issuer}`)).toBe(false);
    expect([...after.keys()].filter((name) => name.includes('trust_bundle'))).toEqual([]);
    expect(after.get('countersign_policy_info{revision="r2"}')).toBe(1);
    expect(after.has('countersign_policy_info{revision="r1"}')).toBe(false);
  });

  test('start the dropped log events at zero, so that an alert on them has a past', async () => {
    const { metrics } = setUp();
    metrics.decisionLogDropped('masking');
    const found = await samples(metrics);
    const dropped = (cause: string) => found.get(`countersign_decision_log_dropped_total{cause="${cause}"}`);
    expect(['masking', 'backpressure', 'failure'].map(dropped)).toEqual([1, 0, 0]);
    expect(found.get(`countersign_build_info{version="1.2.3",node="${process.version}"}`)).toBe(1);
  });
});
