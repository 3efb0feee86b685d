import fc from 'fast-check';
import { refuse } from '../../src/errors/refusal.js';
import { createDecisionLog, type DecisionLogOptions } from '../../src/telemetry/decision-log.js';
import type { DropCause } from '../../src/telemetry/metrics.js';
import { frontend, NOW, ordersToken, permit, policy } from '../decision/fakes.js';
import { checkRequest, DURATIONS, observe, Sink } from './observations.js';

function setUp(options: Partial<DecisionLogOptions> = {}) {
  const sink = new Sink();
  const drops: DropCause[] = [];
  const log = createDecisionLog({
    labels: { app: 'countersign', version: '1.2.3' },
    destination: sink,
    onDrop: (cause) => drops.push(cause),
    ...options,
  });
  return { log, sink, drops };
}

describe('a decision log line', () => {
  test("has the fields of OPA's events and our own", async () => {
    const { log, sink } = setUp();
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    const headers = { authorization: 'Bearer x', traceparent, 'x-request-id': 'req-1' };
    const observation = await observe(checkRequest({ headers }), {
      policy: () => policy(() => ({ ...permit, reason: 'fine' })),
    });
    log.record(observation);
    expect(sink.events()).toEqual([
      {
        level: 'info',
        type: 'openpolicyagent.org/decision_logs',
        labels: { app: 'countersign', version: '1.2.3' },
        decision_id: observation.decision.id,
        trace_id: 'a'.repeat(32),
        span_id: 'b'.repeat(16),
        bundles: { policy: { revision: 'r1' } },
        path: 'mesh/authz/decision',
        input: expect.objectContaining({
          identity: expect.objectContaining({ spiffe_id: frontend.spiffeId }),
          token: expect.objectContaining({ subject: 'alice' }),
          request: expect.objectContaining({ path: '/orders/7' }),
        }),
        result: { allowed: true, reason: 'fine' },
        outcome: 'allow',
        reason: 'allowed',
        spiffe_id: frontend.spiffeId,
        issuer: ordersToken.issuer,
        subject: 'alice',
        client_id: 'frontend',
        requested_by: '192.0.2.7:40000',
        timestamp: new Date(NOW).toISOString(),
        metrics: {
          timer_server_handler_ns: DURATIONS.total,
          timer_identity_ns: expect.any(Number),
          timer_token_ns: expect.any(Number),
          timer_rego_query_eval_ns: expect.any(Number),
        },
        req_id: 'req-1',
        erased: [
          '/input/attributes/source/certificate',
          '/input/attributes/request/http/headers/authorization',
          '/input/parsed_body',
        ],
        msg: 'Decision Log',
      },
    ]);
  });

  test('is written for a denial before the policy as well, with what was known by then', async () => {
    const { log, sink } = setUp();
    log.record(
      await observe(checkRequest(), {
        identity: { verify: () => refuse('certificate_expired', 'notAfter') },
      }),
    );
    log.record(await observe(checkRequest({ path: '/a%2Fb' })));
    const [expired, refused] = sink.events();
    expect(expired).toMatchObject({ outcome: 'deny', reason: 'certificate_expired', detail: 'notAfter' });
    expect(expired).not.toHaveProperty('spiffe_id');
    expect(expired).not.toHaveProperty('path');
    expect(expired).toHaveProperty('input.attributes');
    expect(refused).toMatchObject({ outcome: 'deny', reason: 'path_refused' });
    expect(refused).not.toHaveProperty('input');
  });

  test('never holds the token, wherever the request put it', async () => {
    const token = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl';
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('authorization', 'cookie', 'x-custom', 'dpop', 'referer'),
        fc.string(),
        async (name, around) => {
          const { log, sink } = setUp({ includeBody: true });
          const http = {
            path: `/orders/${token}?q=${token}`,
            headers: { [name]: `${around}${token}`, 'content-type': 'application/json' },
            body: JSON.stringify({ nested: [token] }),
          };
          log.record(await observe(checkRequest(http)));
          expect(sink.events()).toHaveLength(1);
          expect(sink.text).not.toContain(token);
        },
      ),
      { numRuns: 50 },
    );
  });

  test('goes without its input where that is too long, and says so', async () => {
    const { log, sink } = setUp({ includeBody: true });
    log.record(await observe(checkRequest({ headers: { 'x-long': 'a'.repeat(70_000) } })));
    const [event] = sink.events();
    expect(event!.input).toBeNull();
    expect(event!.erased).toContain('/input');
    expect(event).toMatchObject({ reason: 'token_missing', outcome: 'deny' });
    expect(sink.text.length).toBeLessThan(2_000);
  });
});

describe('a decision log that fails', () => {
  test('trap 101: an event that cannot be masked is withheld and counted, never written unmasked', async () => {
    const { log, sink, drops } = setUp();
    const observation = await observe();
    // Deeper than the masking goes; a policy's input is never that deep.
    let deep: object = { authorization: 'Bearer s3cret' };
    for (let depth = 0; depth < 300; depth++) deep = { deep };
    const decision = {
      ...observation.decision,
      policy: { revision: 'r', entrypoint: 'e', input: { deep } },
    };
    log.record({ ...observation, decision });
    expect(sink.text).toBe('');
    expect(drops).toEqual(['masking']);
    log.record(observation);
    expect(sink.events()).toHaveLength(1);
  });

  test('counts what a sink does not take, and throws nothing at the request', async () => {
    const destination = {
      write() {
        throw new Error('disk full');
      },
    };
    const { log, drops } = setUp({ destination });
    log.record(await observe());
    expect(drops).toEqual(['failure']);
    await log.flush();
  });
});
