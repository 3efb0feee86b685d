import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { types } from 'node:util';
import { loadPrepared } from '../../src/cli/policy-source.js';
import { createPolicyWorkshop, SMALL, type PolicyWorkshop } from '../../src/cli/policy-workshop.js';
import { isRefusal, type Refusal } from '../../src/errors/refusal.js';
import { packBundle, unpackBundle } from '../../src/policy/bundle-archive.js';
import type { PartContent } from '../../src/policy/source.js';
import type { Policy } from '../../src/policy/types.js';
import { compileRego } from '../../src/rego/compiler.js';

// The thread runs what was built: a worker knows nothing of jest's transforms.
const THREAD = new URL('../../dist/cli/policy-worker.js', import.meta.url);
const NOWHERE = new URL('./no-such-thread.js', import.meta.url);
const ENTRYPOINT = 'mesh/authz/decision';
const IGNORED = { verification: 'ignored', now: 0 } as const;

let wasm: Uint8Array;
beforeAll(async () => {
  const rego =
    'package mesh.authz\n\ndecision := {"allowed": data.grants[input.name] == input.n, "reason": data.mark}';
  const compiled = await compileRego([{ path: 'mesh/authz.rego', content: rego }], {
    entrypoints: [ENTRYPOINT],
  });
  if (isRefusal(compiled)) throw new Error(compiled.detail);
  wasm = got(await unpackBundle(compiled.bundle, Infinity)).get('policy.wasm')!;
}, 120_000);

const workshops: PolicyWorkshop[] = [];
afterEach(() => {
  for (const workshop of workshops.splice(0)) workshop.stop();
});

function workshop(options: { script: URL; maxMemory?: number; layOut?: boolean }): PolicyWorkshop {
  const made = createPolicyWorkshop({ entrypoints: [ENTRYPOINT], ...options });
  workshops.push(made);
  return made;
}

const isShared = (data: unknown) => data instanceof Uint8Array && types.isSharedArrayBuffer(data.buffer);

function got<T>(outcome: T | Refusal): T {
  const maybe: unknown = outcome;
  if (isRefusal(maybe as Refusal)) throw new Error(JSON.stringify(outcome));
  return outcome as T;
}

const LARGE = 60_000;

function bundle(mark: string, keys: number, more: readonly [string, string][] = []): Promise<Uint8Array> {
  const grants = Object.fromEntries(Array.from({ length: keys }, (_, n) => [`workload-${n}`, n]));
  const data = JSON.stringify({ mark, grants });
  return packBundle([['policy.wasm', wasm], ['data.json', data], ...more]);
}

async function load(from: PolicyWorkshop, parts: Record<string, PartContent>): Promise<Policy> {
  const { prepared, laidOut } = got(await from.prepare(new Map(Object.entries(parts))));
  return got(await loadPrepared(prepared, [ENTRYPOINT], { allow_request_target_rewrite: false }, laidOut));
}

const ask = (policy: Policy, n: number, name = `workload-${n}`) => {
  const result = got(policy.evaluate(ENTRYPOINT, { name, n }, 0));
  return [result.allowed, result.reason];
};

describe('a small policy', () => {
  test('is read and prepared here, without a thread', async () => {
    const here = workshop({ script: NOWHERE });
    const part = got(await here.bundle(await bundle('a', 1000), IGNORED));
    expect(part.data).not.toBeInstanceOf(Uint8Array);
    const policy = await load(here, { policy: part });
    expect([ask(policy, 999), ask(policy, 1, 'workload-2')]).toEqual([[true, 'a'], [false, 'a']]); // prettier-ignore
  });

  test('of several parts that are much together is a matter for the thread', async () => {
    const here = workshop({ script: NOWHERE });
    const filling = 'x'.repeat(SMALL / 2);
    const first = got(await here.bundle(await bundle('a', 10, [['.manifest', '{"roots":["mesh","mark","grants"]}']]), IGNORED)); // prettier-ignore
    const others = await Promise.all(
      ['b', 'c', 'd'].map(async (name) => [
        name,
        got(await here.bundle(await packBundle([['.manifest', `{"roots":["${name}"]}`], [`${name}/data.json`, `{"x":"${filling}"}`]]), IGNORED)), // prettier-ignore
      ]),
    );
    const parts = { a: first, ...(Object.fromEntries(others) as Record<string, PartContent>) };
    expect(await here.prepare(new Map(Object.entries(parts)))).toMatchObject({
      code: 'policy_thread_failed',
    });
    const policy = await load(workshop({ script: THREAD }), parts);
    expect(ask(policy, 3)).toEqual([true, 'a']);
  });
});

describe('a large policy', () => {
  test('is parsed and laid out in a thread, and here are no more than bytes that are shared', async () => {
    const there = workshop({ script: THREAD });
    const part = got(await there.bundle(await bundle('a', LARGE), IGNORED));
    expect(isShared(part.data)).toBe(true);
    const { prepared, laidOut } = got(await there.prepare(new Map([['policy', part]])));
    expect(prepared.data).toEqual({});
    expect(laidOut!.image.bytes.length).toBeGreaterThan(4 * 1024 * 1024);
  }, 60_000);

  test('comes as text where another thread evaluates it', async () => {
    const there = workshop({ script: THREAD, layOut: false });
    const part = got(await there.bundle(await bundle('a', LARGE), IGNORED));
    const { prepared, laidOut } = got(await there.prepare(new Map([['policy', part]])));
    expect(laidOut).toBeUndefined();
    expect(isShared(prepared.data)).toBe(true);
    const again = got(await there.prepare(new Map([['policy', part]])));
    expect(again.prepared.wasm).toBe(prepared.wasm);
    const loaded = await loadPrepared(prepared, [ENTRYPOINT], { allow_request_target_rewrite: false });
    expect(ask(got(loaded), LARGE - 1)).toEqual([true, 'a']);
  }, 60_000);

  test('takes turns with decisions while it comes into force, and they stay what they were', async () => {
    const there = workshop({ script: THREAD });
    const opened = async (mark: string) => got(await there.bundle(await bundle(mark, LARGE), IGNORED));
    const old = await load(there, { policy: await opened('old') });
    const next = await opened('new');
    const { prepared, laidOut } = got(await there.prepare(new Map([['policy', next]])));
    let turns = 0;
    let going = true;
    const decide = () => {
      expect(ask(old, turns)).toEqual([true, 'old']);
      turns++;
      if (going) setImmediate(decide);
    };
    decide();
    const policy = got(
      await loadPrepared(prepared, [ENTRYPOINT], { allow_request_target_rewrite: false }, laidOut),
    );
    going = false;
    // One turn for each mebibyte at least: no step copies more.
    expect(turns).toBeGreaterThanOrEqual(Math.floor(laidOut!.image.bytes.length / (1024 * 1024)));
    for (let n = 0; n < LARGE; n += 997) expect(ask(policy, n)).toEqual([true, 'new']);
    expect(ask(policy, 1, 'workload-2')).toEqual([false, 'new']);
    expect(ask(old, 5)).toEqual([true, 'old']);
  }, 60_000);

  test('is refused in the same words as a small one, and a folder too', async () => {
    const there = workshop({ script: THREAD });
    const twice = '{"mark":1,"mark":2}';
    const filling = `{"x":"${'x'.repeat(SMALL)}"}`;
    const small = await packBundle([['data.json', twice]]);
    const large = await packBundle([['a/data.json', filling], ['data.json', twice]]); // prettier-ignore
    const refusal = await there.bundle(large, IGNORED);
    expect(refusal).toMatchObject({ code: 'bundle_unreadable', detail: 'data.json is not an object' });
    expect(await there.bundle(small, IGNORED)).toEqual(refusal);
    expect(await there.bundle(large, { ...IGNORED, maxBytes: SMALL })).toMatchObject({
      code: 'bundle_too_large',
    });

    const folder = await mkdtemp(join(tmpdir(), 'countersign-workshop-'));
    await writeFile(join(folder, 'authz.rego'), 'package mesh.authz\n\ndecision := data.mark\n');
    await writeFile(join(folder, 'data.json'), `{"mark": true, "x": "${'x'.repeat(SMALL)}"}`);
    const part = got(await there.folder(folder));
    expect(part.data).toBeInstanceOf(Uint8Array);
    const policy = await load(there, { policy: part });
    expect(policy.evaluate(ENTRYPOINT, {}, 0)).toMatchObject({ allowed: true });
    const file = join(folder, 'bundle.tar.gz');
    await writeFile(file, large);
    expect(await there.file(file, { ...IGNORED, maxBytes: Infinity })).toMatchObject({
      detail: `${file}: data.json is not an object`,
    });
    await rm(folder, { recursive: true });
  }, 120_000);

  test('that exhausts the memory of the thread is refused, and the next one is not', async () => {
    const there = workshop({ script: THREAD, maxMemory: 24 });
    expect(await there.bundle(await bundle('a', 400_000), IGNORED)).toMatchObject({
      code: 'policy_thread_failed',
      detail: 'the thread that reads large policies ended: ERR_WORKER_OUT_OF_MEMORY',
    });
    const part = got(await there.bundle(await bundle('b', 8_000), IGNORED));
    expect(ask(await load(there, { policy: part }), 7_999)).toEqual([true, 'b']);
  }, 60_000);
});
