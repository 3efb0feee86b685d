import { mkdtemp, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isRefusal } from '../../src/errors/refusal.js';
import { askGrpc } from '../../src/demo/ask-grpc.js';
import { packBundle, unpackBundle } from '../../src/policy/bundle-archive.js';
import { compileRego } from '../../src/rego/compiler.js';
import type { EngineProcess } from './engine.js';
import { type Mesh, startMesh } from './mesh.js';
import { ask, eventually, serve } from './policy-server.js';

let mesh: Mesh;
let wasm: Uint8Array;
let engine: EngineProcess | undefined;
beforeAll(async () => {
  mesh = await startMesh();
  // Each decision looks at both ends of the data, and at the mark in its middle.
  const rego = `package mesh.authz

first := data.keys["key-00000"]
last := data.keys[sprintf("key-%05d", [data.count - 1])]
decision := {"allowed": input.attributes.request.http.method == "GET", "reason": concat(" ", [first, data.mark, last])}
`;
  const compiled = await compileRego([{ path: 'mesh/authz.rego', content: rego }], {
    entrypoints: ['mesh/authz/decision'],
  });
  if (isRefusal(compiled)) throw new Error(compiled.detail);
  const files = await unpackBundle(compiled.bundle, Infinity);
  if (isRefusal(files)) throw new Error(files.detail);
  wasm = files.get('policy.wasm')!;
}, 180_000);
afterEach(async () => {
  engine?.kill('SIGKILL');
  await engine?.exited;
});
afterAll(() => mesh?.close());

const COUNT = 100_000;

interface Event {
  readonly bundles: { readonly policy: { readonly revision: string } };
  readonly result: { readonly reason: string };
}

const revisionOf = (event: object) => (event as Event).bundles.policy.revision;

function bundle(mark: string, data?: string): Promise<Uint8Array> {
  const keys = Object.fromEntries(
    Array.from({ length: COUNT }, (_, n) => [`key-${String(n).padStart(5, '0')}`, mark]),
  );
  return packBundle([
    ['.manifest', JSON.stringify({ revision: mark, roots: [''] })],
    ['policy.wasm', wasm],
    ['data.json', data ?? JSON.stringify({ keys, count: COUNT, mark })],
  ]);
}

test.each([1, 2])(
  'trap 100: megabytes of data change under load of %i workers, and each decision sees one revision, whole',
  async (workers) => {
    const folder = await mkdtemp(join(mesh.folder, 'data-'));
    const file = join(folder, 'bundle.tar.gz');
    const replace = async (content: Uint8Array) => {
      await writeFile(`${file}.new`, content);
      await rename(`${file}.new`, file);
    };
    await replace(await bundle('r0'));
    engine = await serve(mesh, `{ path: ${file} }\nworkers: ${workers}`);
    const asker = askGrpc(engine.grpc);

    let going = true;
    let asked = 0;
    const failures: unknown[] = [];
    const caller = async () => {
      while (going) {
        const method = asked++ % 2 === 0 ? 'GET' : 'DELETE';
        const seen = await ask(mesh, asker, method).catch((error: unknown) => failures.push(error));
        if (typeof seen === 'object' && seen.status !== (method === 'GET' ? 200 : 403)) failures.push(seen);
      }
    };
    const callers = Array.from({ length: 8 }, caller);
    const log = () => engine!.log();
    for (const mark of ['r1', 'r2', 'r3']) {
      await replace(await bundle(mark));
      await eventually(() => (log().includes(`"revision":"${mark}"`) ? true : undefined));
    }
    await replace(await bundle('bad', `{"keys": ${'['.repeat(200_000)}`));
    await eventually(() => (log().includes('bundle_unreadable') ? true : undefined));
    await replace(await bundle('r4'));
    await eventually(() => (log().includes('"revision":"r4"') ? true : undefined));
    // The workers follow, each when it is ready.
    const latest = () => engine!.decisions().slice(-50).map(revisionOf);
    await eventually(() => (latest().every((revision) => revision === 'r4') ? true : undefined));
    going = false;
    await Promise.all(callers);
    asker.close();

    expect(failures).toEqual([]);
    await eventually(() => (engine!.decisions().length >= asked ? true : undefined));
    const seen = new Set(
      engine.decisions().map((event) => `${revisionOf(event)}: ${(event as unknown as Event).result.reason}`),
    );
    // A worker may pass over one that the next overtook.
    const marks = ['r0', 'r1', 'r2', 'r3', 'r4'].filter((mark) => workers === 1 || seen.has(`${mark}: ${mark} ${mark} ${mark}`)); // prettier-ignore
    expect([...seen].sort()).toEqual(marks.map((mark) => `${mark}: ${mark} ${mark} ${mark}`));
    expect(marks).toEqual(expect.arrayContaining(['r0', 'r4']));
  },
  180_000,
);
