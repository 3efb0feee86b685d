import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import fc from 'fast-check';
import { refuse } from '../../src/errors/refusal.js';
import { createDecisionLog, type DecisionLogOptions } from '../../src/telemetry/decision-log.js';
import type { PolicyResult } from '../../src/policy/types.js';
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
    expect(refused).toMatchObject({
      requested_by: '192.0.2.7:40000',
      input: {
        attributes: { source: { principal: frontend.spiffeId }, request: { http: { path: '/a%2Fb' } } },
      },
    });
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

  test('trap 102: holds neither credential nor cookie where Envoy sends raw headers', async () => {
    const { log, sink } = setUp();
    const lines = [
      ['Authorization', 'Bearer s3cret'],
      ['cookie', 'session=s3cret'],
      ['Cookie', 'other=s3cret'],
      ['DPoP', 's3cret'],
      ['proxy-authorization', 'Basic s3cret'],
      ['accept', 'text/html'],
    ];
    const headers = lines.map(([key, value]) => ({ key: key!, rawValue: Buffer.from(value!) }));
    const request = checkRequest({ headers: {}, headerMap: { headers } });
    log.record(await observe(request));
    const [event] = sink.events();
    expect(event).toMatchObject({
      input: { attributes: { request: { http: { headers: { accept: 'text/html' } } } } },
    });
    for (const text of ['s3cret', Buffer.from('s3cret').toString('base64').slice(0, 7)])
      expect(sink.text).not.toContain(text);
    expect(event!.erased).toContain('/input/attributes/request/http/headerMap');
  });

  test('trap 102: never holds an opaque credential that stands where credentials stand', async () => {
    const escaped = (text: string) => text.replace(/./g, (c) => `%${c.charCodeAt(0).toString(16)}`);
    const places: { [name: string]: (secret: string) => object } = {
      authorization: (secret) => ({ headers: { authorization: `Bearer ${secret}` } }),
      dpop: (secret) => ({ headers: { authorization: `DPoP ${secret}`, dpop: secret } }),
      cookie: (secret) => ({ headers: { cookie: `a=1; session=${secret}` } }),
      'the raw headers': (secret) => ({
        headerMap: { headers: [{ key: 'authorization', rawValue: Buffer.from(`Bearer ${secret}`) }] },
      }),
      'the query': (secret) => ({ path: `/orders?page=1&access_token=${secret}` }),
      'the query, escaped': (secret) => ({ path: `/orders?${escaped('access_token')}=${escaped(secret)}` }),
      'a URL in the query': (secret) => ({
        path: `/login?next=${encodeURIComponent(`https://x/cb?code=${secret}`)}`,
      }),
      referer: (secret) => ({ headers: { referer: `https://x/cb?code=${secret}#id_token=${secret}` } }),
      'a form': (secret) => ({
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: `grant_type=password&password=${secret}`,
      }),
      'the raw body': (secret) => ({
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        rawBody: Buffer.from(`client_secret=${secret}`),
      }),
    };
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...Object.keys(places)),
        fc.stringMatching(/^[0-9a-f]{24}$/),
        fc.boolean(),
        async (place, secret, includeBody) => {
          const { log, sink } = setUp({ includeBody });
          log.record(await observe(checkRequest(places[place]!(secret))));
          expect(sink.events()).toHaveLength(1);
          for (const form of [secret, escaped(secret), Buffer.from(secret).toString('base64')])
            expect(sink.text).not.toContain(form);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('says all that the policy answered, repeated headers too', async () => {
    const { log, sink } = setUp();
    const result: PolicyResult = {
      allowed: true,
      headers: [
        ['x-role', 'a'],
        ['x-role', 'b'],
        ['x-role', 'c'],
        ['x-one', '1'],
        ['set-cookie', 's3cret'],
      ],
      requestHeadersToRemove: ['x-internal'],
      responseHeadersToAdd: [['x-frame', 'deny']],
      queryParametersToSet: [['page', '2']],
      queryParametersToRemove: ['debug'],
      dynamicMetadata: { team: 'shop' },
      reason: 'fine',
      reasons: ['one'],
      requiredScopes: ['orders:read'],
    };
    log.record(await observe(undefined, { policy: () => policy(() => result) }));
    const denial: PolicyResult = { ...permit, allowed: false, httpStatus: 402, body: 'pay' };
    log.record(await observe(undefined, { policy: () => policy(() => denial) }));
    expect(sink.events().map((event) => event.result)).toEqual([
      {
        allowed: true,
        headers: { 'x-role': ['a', 'b', 'c'], 'x-one': '1' },
        request_headers_to_remove: ['x-internal'],
        response_headers_to_add: { 'x-frame': 'deny' },
        query_parameters_to_set: { page: '2' },
        query_parameters_to_remove: ['debug'],
        dynamic_metadata: { team: 'shop' },
        reason: 'fine',
        reasons: ['one'],
        required_scopes: ['orders:read'],
      },
      { allowed: false, http_status: 402 },
    ]);
  });

  test('is one line for each decision, whatever the request holds', async () => {
    const { log, sink } = setUp({ includeBody: true });
    const text = 'a\nb\r\n\u2028"\\ é';
    for (let count = 0; count < 3; count++)
      log.record(await observe(checkRequest({ headers: { 'x-a': text, [text]: 'x' }, body: text })));
    expect(sink.text.endsWith('\n')).toBe(true);
    expect(sink.text.split('\n')).toHaveLength(4);
    expect(new Set(sink.events().map((event) => event.decision_id)).size).toBe(3);
  });

  test.each([
    ['192.0.2.7', '192.0.2.7:40000'],
    ['2001:db8::7', '[2001:db8::7]:40000'],
  ])('names the peer %s as %s', async (address, expected) => {
    const { log, sink } = setUp();
    const request = checkRequest();
    const source = {
      ...request.attributes!.source,
      address: { socketAddress: { address, portValue: 40000 } },
    };
    log.record(await observe({ attributes: { ...request.attributes, source } }));
    expect(sink.events()[0]!.requested_by).toBe(expected);
  });

  test.each(['', 'x', `00-${'g'.repeat(32)}-${'b'.repeat(16)}-01`, `00-${'a'.repeat(32)}`])(
    'has no trace where traceparent is %j',
    async (traceparent) => {
      const { log, sink } = setUp();
      log.record(await observe(checkRequest({ headers: { traceparent } })));
      expect(sink.events()[0]).not.toHaveProperty('trace_id');
    },
  );

  test('goes without the list of what was masked in an input that is too long, too', async () => {
    const { log, sink } = setUp();
    const token = 'eyJhbGciOiJFUzI1NiJ9.e30.c2ln';
    const query = Array.from({ length: 3_000 }, () => `a=${token}`).join('&');
    log.record(await observe(checkRequest({ path: `/orders?${query}` })));
    expect(sink.events()[0]!.input).toBeNull();
    expect(sink.text.length).toBeLessThan(2_000);
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
    await log.close();
  });

  test('trap 101: withholds what is in no condition to be read, too', async () => {
    const { log, sink, drops } = setUp();
    const observation = await observe();
    const input = {
      get secret() {
        throw new Error('s3cret');
      },
    };
    const decision = { ...observation.decision, policy: { revision: 'r', entrypoint: 'e', input } };
    log.record({ ...observation, decision });
    const cyclic: { [name: string]: unknown } = { authorization: 's3cret' };
    cyclic.self = cyclic;
    log.record({
      ...observation,
      decision: { ...decision, policy: { ...decision.policy, input: cyclic as never } },
    });
    expect([sink.text, drops]).toEqual(['', ['masking', 'masking']]);
  });
});

test('a token that somebody acts with is told with the chain of actors and the event of its exchange', async () => {
  const sink = new Sink();
  const log = createDecisionLog({ labels: {}, destination: sink, onDrop: () => undefined });
  const actors = [{ sub: 'web', iss: 'https://idp.example.org', secret: 's3cret' }, { client_id: 'portal' }];
  const token = { ...ordersToken, actors, claims: { sub: 'alice', jti: 'exchange-7', txn: 'txn-9' } };
  log.record(await observe(undefined, { token: { verify: () => token } }));
  const [event] = sink.events();
  expect(event).toMatchObject({ issuer: ordersToken.issuer, subject: 'alice' });
  expect(event!.delegation).toEqual({
    actors: [{ iss: 'https://idp.example.org', sub: 'web' }, { client_id: 'portal' }],
    jti: 'exchange-7',
    txn: 'txn-9',
  });
});

describe('a stolen token', () => {
  test('is told as such, with who presented it and whose it is, and vouches for nobody', async () => {
    const misuse = {
      token: { ...ordersToken, claims: { jti: 's3cret' } },
      boundBy: 'x5t#S256' as const,
      boundTo: 'q'.repeat(43),
    };
    const sink = new Sink();
    const log = createDecisionLog({ labels: {}, destination: sink, onDrop: () => undefined });
    log.record(
      await observe(undefined, {
        token: { verify: () => ({ ...refuse('token_binding_mismatch', 'x'), misuse }) },
      }),
    );
    const [event] = sink.events();
    expect(event).toMatchObject({
      outcome: 'deny',
      reason: 'token_binding_mismatch',
      spiffe_id: frontend.spiffeId,
      theft: {
        presented_by: frontend.spiffeId,
        issuer: ordersToken.issuer,
        subject: 'alice',
        client_id: 'frontend',
        bound_by: 'x5t#S256',
        bound_to: 'q'.repeat(43),
      },
    });
    for (const name of ['issuer', 'subject', 'client_id']) expect(event).not.toHaveProperty(name);
    expect(sink.text).not.toContain('s3cret');
  });

  test('is not told of what was merely refused', async () => {
    const sink = new Sink();
    const log = createDecisionLog({ labels: {}, destination: sink, onDrop: () => undefined });
    log.record(await observe(undefined, { token: { verify: () => refuse('token_expired', 'x') } }));
    expect(sink.events()[0]).not.toHaveProperty('theft');
  });
});

describe('standard output', () => {
  const MODULE = new URL('../../dist/telemetry/decision-log.js', import.meta.url).href;

  /** Records `count` events in a process of its own, and tells what that counted as dropped. */
  async function recorded(count: number, onStdout: (stdout: Readable) => void) {
    const program = `
      import { createDecisionLog } from ${JSON.stringify(MODULE)};
      const drops = {};
      const log = createDecisionLog({
        labels: { x: 'x'.repeat(50_000) },
        onDrop: (cause) => { drops[cause] = (drops[cause] ?? 0) + 1; },
      });
      const decision = { id: '1', at: 0, outcome: 'deny', reason: 'x', answer: {}, timings: {} };
      for (let count = 0; count < ${count}; count++) {
        log.record({ decision, durations: { facts: 1, response: 1, total: 1 } });
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      console.error(JSON.stringify(drops));
      await log.close();
      console.error('flushed');`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk;
      if (stderr.includes('}')) child.stdout.resume();
    });
    onStdout(child.stdout);
    const [code] = (await once(child, 'close')) as [number];
    const [drops, flushed] = stderr.trim().split('\n');
    return { code, drops: JSON.parse(drops!) as { [cause: string]: number }, flushed };
  }

  test('takes every line while somebody reads', async () => {
    let text = '';
    const outcome = await recorded(20, (stdout) => stdout.on('data', (chunk: Buffer) => (text += chunk)));
    expect(outcome).toEqual({ code: 0, drops: {}, flushed: 'flushed' });
    expect(text.trim().split('\n')).toHaveLength(20);
  });

  test('that nobody reads any more neither ends the server nor goes uncounted', async () => {
    const { code, drops, flushed } = await recorded(50, (stdout) => stdout.destroy());
    expect([code, flushed]).toEqual([0, 'flushed']);
    expect(drops.failure).toBeGreaterThan(40);
  });

  test('that is read too slowly costs log lines, which are counted, and not the server', async () => {
    const { code, drops, flushed } = await recorded(450, (stdout) => stdout.pause());
    expect([code, flushed]).toEqual([0, 'flushed']);
    expect(drops.backpressure).toBeGreaterThan(50);
  });
});
