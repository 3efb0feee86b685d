import { readFile } from 'node:fs/promises';
import { createDecisionLog } from '../../src/telemetry/decision-log.js';
import { refuse } from '../../src/errors/refusal.js';
import { permit, policy } from '../decision/fakes.js';
import { checkRequest, observe, Sink } from '../telemetry/observations.js';

const page = await readFile(new URL('../../docs/decision-log.md', import.meta.url), 'utf8');

/** Every field that a line can have, from decisions that bring out all of them. */
async function fields(): Promise<Set<string>> {
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
  return new Set(sink.events().flatMap((event) => Object.keys(event)));
}

describe('docs/decision-log.md', () => {
  test('has a line for every field, and for no other', async () => {
    const rows = [...page.matchAll(/^\| ((?:`\w+`(?:, )?)+) \|/gm)].flatMap(([, names]) =>
      [...names!.matchAll(/`(\w+)`/g)].map(([, name]) => name),
    );
    expect(rows.sort()).toEqual([...(await fields())].sort());
  });

  test('shows a line with fields that there are', async () => {
    const shown = JSON.parse(/```json\n([\s\S]*?)```/.exec(page)![1]!) as object;
    const known = await fields();
    for (const name of Object.keys(shown)) expect(known).toContain(name);
  });
});
