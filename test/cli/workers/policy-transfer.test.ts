import { createPolicyPublisher, type PolicyLink } from '../../../src/cli/workers/policy-publisher.js';
import { createPolicyReplica } from '../../../src/cli/workers/policy-replica.js';
import type { PolicyOutcome, PolicyPiece } from '../../../src/cli/workers/messages.js';
import type { PreparedPolicy } from '../../../src/cli/policy-loader.js';
import type { LaidOutPolicy } from '../../../src/policy/evaluator.js';
import { compilePolicy } from '../../../src/policy/wasm/module.js';
import { isRefusal, refuse } from '../../../src/errors/refusal.js';
import { parseExact, stringifyExact } from '../../../src/json/exact.js';

function prepared(revision: string, data: string, wasm: Uint8Array = new Uint8Array([0, 1])): PreparedPolicy {
  return {
    revision,
    bundles: { policy: { revision } },
    wasm,
    data: parseExact(data) as PreparedPolicy['data'],
    builtinPlaces: new Map([['base64.encode', ['a.rego:1:1']]]),
  };
}

/** A worker with what it loaded, and what came to it. */
function worker(publisher: ReturnType<typeof createPolicyPublisher>) {
  const loaded: PreparedPolicy[] = [];
  const pieces: PolicyPiece[] = [];
  const laidOut: (LaidOutPolicy | undefined)[] = [];
  const outcomes: PolicyOutcome[] = [];
  let gate: Promise<void> = Promise.resolve();
  const refused = new Set<string>();
  const link: PolicyLink = {
    async send(piece) {
      await gate;
      const copy = structuredClone(piece);
      pieces.push(copy);
      replica.take(copy);
    },
  };
  const replica = createPolicyReplica({
    load: async (policy, image) => {
      laidOut.push(image);
      if (refused.has(policy.revision)) return refuse('policy_unavailable', 'not here');
      loaded.push(policy);
      const { revision } = policy;
      return { revision, entrypoints: [], evaluate: () => refuse('policy_undefined', '') };
    },
    tell(outcome) {
      outcomes.push(outcome);
      attached.take(outcome);
    },
    now: () => 1,
  });
  const attached = publisher.attach(link);
  return {
    replica,
    loaded,
    laidOut,
    pieces,
    outcomes,
    refused,
    end: () => attached.end(),
    hold() {
      let release = () => {};
      gate = new Promise((resolve) => (release = resolve));
      return () => {
        gate = Promise.resolve();
        release();
      };
    },
    revisions: () => loaded.map(({ revision }) => revision),
  };
}

const settled = async () => {
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
};

/** Compiling takes as long as the machine lets it. */
const loads = async (one: { readonly loaded: readonly unknown[] }, count: number) => {
  while (one.loaded.length < count) await new Promise((resolve) => setTimeout(resolve, 5));
};

test('a worker starts without a policy where there is none, and takes the first that comes', async () => {
  const publisher = createPolicyPublisher();
  const one = worker(publisher);
  await one.replica.start();
  expect(one.replica.current()).toBeUndefined();
  publisher.publish(prepared('1', '{}'));
  await settled();
  expect(one.replica.current()?.revision).toBe('1');
  expect(one.replica.loadedAt()).toBe(1);
  expect(one.outcomes.at(-1)).toEqual({ kind: 'loaded', version: 1, revision: '1' });
});

test('a worker that comes later starts with the policy that is in force, whole and exact', async () => {
  const publisher = createPolicyPublisher();
  const data = '{"big":12345678901234567890123,"small":1e-400,"text":"ä€😀","a":[1.50]}';
  const wasm = new Uint8Array(600_000).map((_, at) => at % 251);
  publisher.publish(prepared('1', data, wasm));
  const one = worker(publisher);
  await one.replica.start();
  const [policy] = one.loaded;
  expect(policy!.wasm).toEqual(wasm);
  expect(Buffer.from(policy!.data as Uint8Array).toString()).toBe(stringifyExact(parseExact(data)));
  expect(policy!.builtinPlaces).toEqual(new Map([['base64.encode', ['a.rego:1:1']]]));
  // In pieces, none of which holds anybody up.
  const sizes = one.pieces.flatMap((piece) => (piece.kind === 'piece' ? [piece.bytes.length] : []));
  expect(Math.max(...sizes)).toBeLessThanOrEqual(256 * 1024);
  expect(sizes.length).toBeGreaterThan(3);
});

test('data that is text already goes as it is, and one that was laid out is neither parsed nor laid out again', async () => {
  const publisher = createPolicyPublisher();
  const one = worker(publisher);
  await one.replica.start();
  publisher.publish({ ...prepared('1', '{}'), data: Buffer.from('{"a":1}') });
  await settled();
  expect(Buffer.from(one.loaded[0]!.data as Uint8Array).toString()).toBe('{"a":1}');
  expect(one.laidOut).toEqual([undefined]);

  const wasm = EMPTY_MODULE;
  const module = await compilePolicy(wasm);
  const image = { bytes: new Uint8Array(700_000).fill(3), module: module.digest, data: 4096 };
  publisher.publish(prepared('2', '{}', wasm), { module, image });
  await loads(one, 2);
  expect(one.laidOut[1]!.image).toEqual(image);
  expect(one.laidOut[1]!.module).toMatchObject({ digest: module.digest, bytes: module.bytes });
  publisher.publish(prepared('3', '{}', wasm), { module, image });
  await loads(one, 3);
  // Compiled once, for as long as only the data changes.
  expect(one.laidOut[2]!.module).toBe(one.laidOut[1]!.module);
});

/** The least that is Wasm: its magic number, and version 1. */
const EMPTY_MODULE = new Uint8Array([0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]);

test('Wasm that did not change is not sent again, and is the same object', async () => {
  const publisher = createPolicyPublisher();
  const wasm = new Uint8Array(300_000);
  const one = worker(publisher);
  publisher.publish(prepared('1', '{"a":1}', wasm));
  await one.replica.start();
  one.pieces.length = 0;
  publisher.publish(prepared('2', '{"a":2}', wasm));
  await settled();
  expect(one.revisions()).toEqual(['1', '2']);
  expect(one.pieces.some((piece) => piece.kind === 'piece' && piece.part === 'wasm')).toBe(false);
  expect(one.loaded[1]!.wasm).toBe(one.loaded[0]!.wasm);
  publisher.publish(prepared('3', '{"a":2}', new Uint8Array([9])));
  await settled();
  expect(one.loaded[2]!.wasm).toEqual(new Uint8Array([9]));
});

test('one that is overtaken on its way is given up, and the Wasm that did not get there is sent', async () => {
  const publisher = createPolicyPublisher();
  const one = worker(publisher);
  await one.replica.start();
  const release = one.hold();
  const wasm = new Uint8Array(600_000).fill(7);
  publisher.publish(prepared('1', '{}', wasm));
  publisher.publish(prepared('2', '{}', wasm));
  publisher.publish(prepared('3', '{}', wasm));
  release();
  await settled();
  expect(one.revisions()).toEqual(['3']);
  expect(one.loaded[0]!.wasm).toEqual(wasm);
});

test('what a worker cannot load it refuses, and what it had stays', async () => {
  const publisher = createPolicyPublisher();
  const one = worker(publisher);
  publisher.publish(prepared('1', '{}'));
  await one.replica.start();
  one.refused.add('2');
  publisher.publish(prepared('2', '{}'));
  await settled();
  expect(one.replica.current()?.revision).toBe('1');
  expect(one.outcomes.at(-1)).toEqual({
    kind: 'refused',
    version: 2,
    code: 'policy_unavailable',
    detail: 'not here',
  });
  expect(isRefusal(one.replica.current())).toBe(false);
});

test('a worker that is gone is sent nothing more', async () => {
  const publisher = createPolicyPublisher();
  const one = worker(publisher);
  const other = worker(publisher);
  await Promise.all([one.replica.start(), other.replica.start()]);
  one.end();
  publisher.publish(prepared('1', '{}'));
  await settled();
  expect([one.revisions(), other.revisions()]).toEqual([[], ['1']]);
});
