import { readFile } from 'node:fs/promises';
import { createDecisionLog } from '../../src/telemetry/decision-log.js';
import { createMask } from '../../src/telemetry/masking.js';
import { refuse } from '../../src/errors/refusal.js';
import { brokered, ordersToken, permit, policy } from '../decision/fakes.js';
import { checkRequest, observe, Sink } from '../telemetry/observations.js';

const page = await readFile(new URL('../../docs/decision-log.md', import.meta.url), 'utf8');

/** Lines that bring out every field that there is. */
async function events() {
  const sink = new Sink();
  const log = createDecisionLog({ labels: {}, destination: sink, onDrop: () => undefined });
  const headers = {
    authorization: 'Bearer x',
    traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
    'x-request-id': '1',
  };
  log.record(
    await observe(checkRequest({ headers, path: '/orders?token=x' }), {
      policy: () => policy(() => ({ ...permit, allowed: false, reason: 'no' })),
    }),
  );
  log.record(await observe(checkRequest(), { identity: { verify: () => refuse('spiffe_id_missing', 'x') } }));
  const delegated = { ...ordersToken, actors: [{ sub: 'web' }], claims: { jti: 'j', txn: 't' } };
  log.record(await observe(checkRequest({ headers }), { token: { verify: () => delegated } }));
  const transaction = {
    issuer: 'i',
    id: 't',
    subject: 's',
    scopes: [],
    requestingWorkload: 'w',
    claims: {},
    issuedAt: 0,
    expiresAt: 0,
  };
  const told = { verifier: { verify: () => transaction }, mode: 'required' as const };
  log.record(await observe(checkRequest({ headers }), { transaction: told }));
  log.record(await observe(checkRequest({ headers }), brokered));
  const misuse = { token: ordersToken, boundBy: 'dpop' as const, boundTo: 'x' };
  log.record(
    await observe(checkRequest({ headers }), {
      token: { verify: () => ({ ...refuse('token_binding_mismatch', 'x'), misuse }) },
    }),
  );
  return sink.events();
}

async function fields(): Promise<Set<string>> {
  return new Set((await events()).flatMap((event) => Object.keys(event)));
}

describe('docs/decision-log.md', () => {
  test('has a line for every field, and for no other', async () => {
    const rows = [...page.matchAll(/^\| ((?:`\w+`(?:, )?)+) \|/gm)].flatMap(([, names]) =>
      [...names!.matchAll(/`(\w+)`/g)].map(([, name]) => name),
    );
    expect(rows.sort()).toEqual([...(await fields())].sort());
  });

  test('has a line for every field that a shadow policy adds', async () => {
    const sink = new Sink();
    const log = createDecisionLog({ labels: {}, destination: sink, onDrop: () => undefined });
    const answer = { revision: 'r', bundles: { b: { revision: 'r' } }, milliseconds: 1 };
    const seen = { observation: await observe(), path: 'a/b' };
    log.recordShadow({ ...seen, difference: 'different', answer, result: permit });
    log.recordShadow({
      ...seen,
      difference: 'error',
      answer: { ...answer, code: 'policy_error', detail: 'x' },
    });
    const there = sink.events().flatMap(({ shadow }) => Object.keys(shadow as object));
    const rows = [...page.matchAll(/`shadow\.(\w+)`/g)].map(([, name]) => name);
    expect(rows.sort()).toEqual([...new Set(there)].sort());
  });

  test('names everything that it tells of a theft', async () => {
    const { theft } = (await events()).find((event) => 'theft' in event)!;
    const row = page.split('\n').find((line) => line.startsWith('| `theft`'))!;
    for (const name of Object.keys(theft as object)) expect(row).toContain(`\`${name}\``);
  });

  test('shows a line with fields that there are', async () => {
    const shown = JSON.parse(/```json\n([\s\S]*?)```/.exec(page)![1]!) as object;
    const known = await fields();
    for (const name of Object.keys(shown)) expect(known).toContain(name);
  });

  test('names every timer of `metrics`, and labels that there are', async () => {
    const timers = new Set((await events()).flatMap(({ metrics }) => Object.keys(metrics as object)));
    const named = [...page.matchAll(/`(timer_\w+)`/g)].map(([, name]) => name);
    expect([...new Set(named)].sort()).toEqual([...timers].sort());
  });

  test('names parameters that are masked, and headers that are erased', () => {
    const named = (from: RegExp) =>
      [...from.exec(page)![1]!.matchAll(/`([\w-]+)`/g)].map(([, name]) => name!);
    const parameters = named(/Query and form parameters([\s\S]*?)are masked/);
    const headers = named(/Headers that hold a credential([\s\S]*?)are erased/);
    expect([parameters.length, headers.length]).toEqual([21, 14]);
    const mask = createMask();
    for (const name of parameters) {
      const { event } = mask({ input: { parsed_query: { [name]: ['s3cret'] }, path: `/a?${name}=s3cret` } });
      expect(JSON.stringify(event)).not.toContain('s3cret');
    }
    for (const name of headers) {
      const { event } = mask({
        input: { attributes: { request: { http: { headers: { [name]: 's3cret' } } } } },
      });
      expect(JSON.stringify(event)).not.toContain('s3cret');
    }
  });
});
