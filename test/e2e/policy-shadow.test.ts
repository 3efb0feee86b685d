import { mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { askGrpc } from '../../src/demo/ask-grpc.js';
import type { EngineProcess } from './engine.js';
import { type Mesh, startMesh } from './mesh.js';
import { ask, eventually, marked, metric, serve } from './policy-server.js';

let mesh: Mesh;
const running: EngineProcess[] = [];
beforeAll(async () => {
  mesh = await startMesh();
});
afterAll(async () => {
  for (const engine of running) {
    engine.kill('SIGKILL');
    await engine.exited;
  }
  await mesh?.close();
});

async function folder(policy: string): Promise<string> {
  const place = await mkdtemp(join(mesh.folder, 'shadow-'));
  await writeFile(join(place, 'authz.rego'), policy);
  await writeFile(join(place, 'data.json'), '{"mark": "m"}');
  return place;
}

const counted = (engine: EngineProcess, result: string) =>
  metric(engine, `countersign_shadow_decisions_total{result="${result}"}`);

describe('a shadow policy', () => {
  test('is asked beside the live one, answers nobody, and may break, mend and hang', async () => {
    const shadow = await folder(marked('S', 'input.attributes.request.http.method == "DELETE"'));
    const engine = await serve(mesh, `{ path: ${await folder(marked('L'))}, shadow: { path: ${shadow} } }`);
    running.push(engine);
    const asker = askGrpc(engine.grpc);
    await eventually(() => (engine.log().includes('shadow policy loaded') ? true : undefined));
    expect((await ask(mesh, asker, 'GET')).status).toBe(200);
    expect((await ask(mesh, asker, 'DELETE')).status).toBe(403);
    await eventually(async () => ((await counted(engine, 'deny_to_allow')) === 1 ? true : undefined));
    expect(await counted(engine, 'allow_to_deny')).toBe(1);
    const events = engine.decisions().filter(({ type }) => type === 'countersign/shadow_decisions');
    expect(events).toMatchObject([
      {
        outcome: 'allow',
        shadow: { difference: 'allow_to_deny', result: { allowed: false, reason: 'S m' } },
      },
      { outcome: 'deny', shadow: { difference: 'deny_to_allow', result: { allowed: true } } },
    ]);

    await writeFile(join(shadow, 'authz.rego'), 'package broken :=');
    await eventually(() => (engine.log().includes('shadow policy refused') ? true : undefined));
    expect((await ask(mesh, asker, 'GET')).status).toBe(200);
    await eventually(async () => ((await counted(engine, 'allow_to_deny')) === 2 ? true : undefined));

    // 10^10 steps: nothing that returns.
    const hangs = marked(
      'H',
      'count([1 | some a in numbers.range(1, 100000); some b in numbers.range(1, 100000); a == b + 1000000]) == 0',
    );
    const before = engine.log().length;
    await writeFile(join(shadow, 'authz.rego'), hangs);
    await eventually(() => (engine.log().slice(before).includes('shadow policy loaded') ? true : undefined));
    const started = performance.now();
    expect((await ask(mesh, asker, 'GET')).status).toBe(200);
    expect((await ask(mesh, asker, 'GET')).status).toBe(200);
    expect(performance.now() - started).toBeLessThan(900);
    await eventually(async () => ((await counted(engine, 'error')) > 0 ? true : undefined));
    asker.close();
    engine.kill('SIGTERM');
    expect(await engine.exited).toBe(0);
  }, 180_000);
});
