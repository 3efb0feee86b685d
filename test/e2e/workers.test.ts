import { askGrpc } from '../../src/demo/ask-grpc.js';
import type { Case } from '../../src/demo/cases.js';
import type { Svid } from '../../src/demo/trust-domain.js';
import { eventually } from './eventually.js';
import { startMesh, type Mesh } from './mesh.js';

let mesh: Mesh;
beforeAll(async () => {
  mesh = await startMesh();
});
afterAll(() => mesh?.close());

function read(workload: Svid, token: string): Case {
  const expect = { status: 200, reason: 'allowed' };
  return { title: '', workload, method: 'GET', path: '/orders/7', token, expect };
}

test('three workers answer', async () => {
  const engine = await mesh.engine({ more: 'workers: 3\n' });
  const token = await mesh.issuer.mint({ scope: 'orders:read' });
  const asker = askGrpc(engine.grpc);
  for (let i = 0; i < 5; i++) console.log(await asker.ask(read(mesh.frontend, token)));
  await eventually(() => (engine.log().match(/worker ready/g)?.length === 3 ? true : undefined));
  console.log(await (await fetch(`http://${engine.admin}/readyz`)).text());
  console.log(
    (await (await fetch(`http://${engine.admin}/metrics`)).text())
      .split('\n')
      .filter((l) => !l.startsWith('#') && !l.includes('bucket'))
      .join('\n'),
  );
  console.log(engine.log(), engine.decisions().length);
  asker.close();
  engine.kill('SIGTERM');
  expect(await engine.exited).toBe(0);
  console.log(engine.log(), engine.decisions().length);
}, 30_000);
