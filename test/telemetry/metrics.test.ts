import { REASON_CODES } from '../../src/decision/reasons.js';
import { refuse } from '../../src/errors/refusal.js';
import { createMetrics } from '../../src/telemetry/metrics.js';
import { brokered, frontend, NOW } from '../decision/fakes.js';
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
    bundles: [{ name: 'authz', revision: 'r1', lastSuccess: NOW }],
    revocations: { entries: 3, loaded: true, unreachableSince: NOW } as
      { entries: number; loaded: boolean; unreachableSince?: number } | undefined,
  };
  const metrics = createMetrics('1.2.3', {
    jwks: () => state.jwks as never,
    trustBundles: () => state.trustBundles as never,
    workloadApi: () => [{ stream: 'x509_bundles', lastSuccess: NOW }, { stream: 'jwt_bundles' }],
    policy: () => state.policy as never,
    bundles: () => state.bundles,
    revocations: () => state.revocations,
    endpoint: () => ({ notAfter: NOW + 3_600_000 }),
    servers: () => [
      { askedFor: 'tokens', server: 'exchange', error: undefined },
      { askedFor: 'introspection', server: 'https://idp.example.org', error: 'no answer in time' },
    ],
  });
  return { metrics, state };
}

describe('metrics', () => {
  test('are these, of these types and with these labels, and no others of ours', async () => {
    const { metrics } = setUp();
    metrics.observe(await observe());
    metrics.observe(await observe(undefined, brokered));
    metrics.policy.refused('authz', 'bundle_unsigned');
    metrics.policy.requested('authz', 'failed');
    const text = await metrics.text();
    const found = [...text.matchAll(/^# TYPE (countersign_\w+) (\w+)$/gm)].map(([, name, type]) => {
      const sample = new RegExp(`^${name}(?:_bucket)?(?:\\{(.*?)\\})? `, 'm').exec(text)![1] ?? '';
      const labels = [...sample.matchAll(/(\w+)="/g)].map(([, label]) => label);
      return [name, type, ...labels.filter((label) => label !== 'le')].join(' ');
    });
    expect(found.sort()).toEqual([
      'countersign_build_info gauge version node',
      'countersign_bundle_info gauge bundle revision',
      'countersign_bundle_last_success_timestamp_seconds gauge bundle',
      'countersign_bundle_refused_total counter bundle code',
      'countersign_bundle_requests_total counter bundle result',
      'countersign_connections_refused_total counter cause',
      'countersign_decision_duration_seconds histogram',
      'countersign_decision_log_dropped_total counter cause',
      'countersign_decisions_total counter outcome reason',
      'countersign_jwks_keys gauge issuer',
      'countersign_jwks_last_success_timestamp_seconds gauge issuer',
      'countersign_jwks_stale gauge issuer',
      'countersign_policy_info gauge revision',
      'countersign_policy_loaded_timestamp_seconds gauge',
      'countersign_policy_reload_duration_seconds histogram',
      'countersign_policy_reload_failing gauge bundle',
      'countersign_policy_reload_total counter result',
      'countersign_requests_dropped_total counter cause',
      'countersign_revocations gauge',
      'countersign_revocations_failing gauge',
      'countersign_revocations_unreachable_timestamp_seconds gauge',
      'countersign_security_events_total counter result',
      'countersign_server_failing gauge asked_for server',
      'countersign_shadow_decisions_total counter result',
      'countersign_stage_duration_seconds histogram stage',
      'countersign_svid_expiry_timestamp_seconds gauge',
      'countersign_trust_bundle_last_success_timestamp_seconds gauge trust_domain',
      'countersign_trust_bundle_unavailable gauge trust_domain',
      'countersign_upstream_tokens_total counter server obtained',
      'countersign_workload_api_last_message_timestamp_seconds gauge stream',
    ]);
    expect(text).toMatch(/^process_cpu_seconds_total /m);
    expect(text).toMatch(/^nodejs_eventloop_lag_seconds /m);
    expect(metrics.contentType).toBe('text/plain; version=0.0.4; charset=utf-8');
  });

  test('tell how the list of what was revoked stands, where there is one', async () => {
    const { metrics, state } = setUp();
    const names = [
      'countersign_revocations',
      'countersign_revocations_failing',
      'countersign_revocations_unreachable_timestamp_seconds',
    ];
    const read = async () => {
      const found = await samples(metrics);
      return names.map((name) => found.get(name));
    };
    expect(await read()).toEqual([3, 1, NOW / 1000]);
    state.revocations = { entries: 4, loaded: true };
    expect(await read()).toEqual([4, 0, undefined]);
    state.revocations = { entries: 0, loaded: false };
    expect(await read()).toEqual([0, 1, undefined]);
    state.revocations = undefined;
    expect(await read()).toEqual([undefined, undefined, undefined]);
  });

  test('of durations tell a warm decision from one that a caller gives up on', async () => {
    const { metrics } = setUp();
    const observation = await observe();
    for (const total of [40_000, 400_000, 300_000_000, 2_000_000_000])
      metrics.observe({ ...observation, durations: { facts: 1, response: 1, total } });
    const found = await samples(metrics);
    const upTo = (le: string) => found.get(`countersign_decision_duration_seconds_bucket{le="${le}"}`);
    expect(
      ['0.00005', '0.0005', '0.25', '1', '+Inf'].map((le) => upTo(le) ?? upTo(String(Number(le)))),
    ).toEqual([1, 2, 2, 3, 4]);
  });

  test('count every reason that there is, and escape what an operator named', async () => {
    const { metrics, state } = setUp();
    const observation = await observe();
    for (const reason of REASON_CODES)
      metrics.observe({ ...observation, decision: { ...observation.decision, outcome: 'deny', reason } });
    state.jwks = [{ issuer: 'a"b\\c\nd', keys: 1, stale: false }];
    const found = await samples(metrics);
    const counted = [...found.keys()].filter((name) => name.startsWith('countersign_decisions_total'));
    expect(counted).toHaveLength(REASON_CODES.length);
    expect(found.get('countersign_jwks_keys{issuer="a\\"b\\\\c\\nd"}')).toBe(1);
  });

  test('of one server are not those of another', async () => {
    const [one, other] = [setUp().metrics, setUp().metrics];
    one.observe(await observe());
    expect((await samples(one)).get('countersign_decision_duration_seconds_count')).toBe(1);
    expect((await samples(other)).get('countersign_decision_duration_seconds_count')).toBe(0);
  });

  test('have no policy until one is in force', async () => {
    const { metrics, state } = setUp();
    state.policy = undefined;
    const found = await samples(metrics);
    expect([...found.keys()].filter((name) => /_policy_(info|loaded)/.test(name))).toEqual([]);
  });

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
    const stream = (name: string) =>
      `countersign_workload_api_last_message_timestamp_seconds{stream="${name}"}`;
    expect(before.get(stream('x509_bundles'))).toBe(NOW / 1000);
    expect(before.has(stream('jwt_bundles'))).toBe(false);
    const unavailable = 'countersign_trust_bundle_unavailable{trust_domain="example.org"}';
    expect(before.get(unavailable)).toBe(0);
    expect(before.get('countersign_svid_expiry_timestamp_seconds')).toBe(NOW / 1000 + 3600);
    state.trustBundles = [{ trustDomain: 'example.org', unavailable: 'it is too old' }];
    expect((await samples(metrics)).get(unavailable)).toBe(1);
    expect(before.get('countersign_policy_loaded_timestamp_seconds')).toBe(NOW / 1000);
    expect(before.get('countersign_policy_info{revision="r1"}')).toBe(1);

    state.jwks = [{ issuer: 'https://idp.example.org', keys: 0, stale: true }];
    state.trustBundles = [];
    state.policy = { revision: 'r2', loadedAt: NOW + 1000 };
    const after = await samples(metrics);
    expect(after.get(`countersign_jwks_stale${issuer}`)).toBe(1);
    expect(after.has(`countersign_jwks_last_success_timestamp_seconds${issuer}`)).toBe(false);
    expect([...after.keys()].filter((name) => name.startsWith('countersign_trust_bundle'))).toEqual([]);
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
