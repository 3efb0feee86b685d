import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { askAll } from '../../src/demo/ask-all.js';
import { askEnvoy } from '../../src/demo/ask-envoy.js';
import type { Case, Workload } from '../../src/demo/cases.js';
import { startIssuer, type Issuer } from '../../src/demo/issuer.js';
import { startEngine, type EngineProcess } from '../../test/e2e/engine.js';
import type { SpireMesh } from '../../test/support/spire-mesh.js';

/** `npm run example:spire`: the deployment of the README beside this, on this machine and for a minute. */

const POLICIES = fileURLToPath(new URL('policies', import.meta.url));
const FRONTEND = 'spiffe://example.org/ns/shop/sa/frontend';
const REPORTING = 'spiffe://example.org/ns/shop/sa/reporting';
const SUPPLIER = 'spiffe://partner.example/ns/depot/sa/supplier';

const say = (text: string) => void process.stdout.write(`${text}\n`);

const closers: (() => unknown)[] = [];
let right = false;
try {
  right = await show();
} catch (error) {
  say((error as Error).message);
} finally {
  for (const close of closers.reverse()) await close();
}
process.exit(right ? 0 : 1);

async function show(): Promise<boolean> {
  say('Looking for SPIRE and Envoy. What is not here yet is fetched once; to build SPIRE takes minutes …');
  const mesh = await startMesh();
  say('Started SPIRE for example.org and for partner.example: servers that federate, and an agent of each.');
  const issuer = await startIssuer({ audience: 'orders' });
  closers.push(() => issuer.close());
  const engine = await serve(mesh, issuer);
  say(`Started Countersign:   trust bundles from the Workload API, http://${engine.admin} (metrics)`);
  const port = await mesh.startEnvoy();
  say(`Started Envoy:         https://127.0.0.1:${port}, its certificate and its roots from SPIRE by SDS`);

  const ask = askEnvoy(port, mesh.home.workloads.authorities('example.org').join('\n'));
  const answers = await askAll(await cases(mesh, issuer), ask);
  say(`\n${answers.table}\n`);
  return answers.right;
}

/** @throws Error where SPIRE or Envoy can't be had, with what to do about it */
async function startMesh(): Promise<SpireMesh> {
  // Whoever imports these waits for what they fetch.
  const { whySpireIsMissing } = await import('../../test/support/spire-programs.js');
  if (whySpireIsMissing !== undefined) throw new Error(`There is no SPIRE: ${whySpireIsMissing}.`);
  const { whyEnvoyIsMissing } = await import('../../test/support/real-envoy.js');
  if (whyEnvoyIsMissing !== undefined) throw new Error(`There is no Envoy: ${whyEnvoyIsMissing}.`);
  const { startSpireMesh } = await import('../../test/support/spire-mesh.js');
  const folder = await mkdtemp(join(tmpdir(), 'cs-'));
  closers.push(() => rm(folder, { recursive: true, force: true }));
  const mesh = await startSpireMesh({ folder, callers: [FRONTEND, REPORTING, SUPPLIER] });
  closers.push(() => mesh.stop());
  return mesh;
}

/** Countersign as its own process, which the agent knows by its path. */
async function serve(mesh: SpireMesh, issuer: Issuer): Promise<EngineProcess> {
  const file = join(mesh.folder, 'countersign.yaml');
  const text = (await mesh.configuration('countersign.yaml'))
    .replace('admin: 127.0.0.1:8181', 'admin: 127.0.0.1:0')
    .replace('https://idp.example.org', issuer.url)
    .replace('path: ./policies', `path: ${JSON.stringify(POLICIES)}`);
  await writeFile(file, text);
  const engine = await startEngine(file, 'example', mesh.node);
  closers.push(() => (engine.kill('SIGTERM'), engine.exited));
  return engine;
}

async function cases({ home, partner }: SpireMesh, issuer: Issuer): Promise<Case[]> {
  const of = ({ workloads }: SpireMesh['home'], spiffeId: string): Workload => ({
    spiffeId,
    ...workloads.svid(spiffeId),
  });
  const frontend = of(home, FRONTEND);
  const supplier = of(partner, SUPPLIER);
  const order = { method: 'GET', path: '/orders/7' };
  const stock = { method: 'GET', path: '/stock' };
  const token = (client: string, scope: string) => issuer.mint({ client_id: client, sub: client, scope });
  const [frontends, suppliers] = await Promise.all([
    token('frontend', 'orders:read stock:read'),
    token('supplier', 'orders:read stock:read'),
  ]);
  const allowed = (who: Workload) => ({ status: 200, reason: 'allowed', upstreamSpiffeId: who.spiffeId });
  const stolen = { status: 401, reason: 'token_binding_mismatch' };
  return [
    {
      ...{ title: 'its own token', workload: frontend, ...order, token: frontends },
      expect: allowed(frontend),
    },
    {
      ...{ title: 'from the other domain', workload: supplier, ...stock, token: suppliers },
      expect: allowed(supplier),
    },
    {
      ...{ title: 'not for the other domain', workload: supplier, ...order, token: suppliers },
      expect: { status: 403, reason: 'policy_denied' },
    },
    {
      ...{ title: 'stolen token', workload: of(home, REPORTING), ...order, token: frontends },
      expect: stolen,
    },
    {
      ...{ title: 'stolen across domains', workload: supplier, ...stock, token: frontends },
      expect: stolen,
    },
    {
      ...{ title: 'no token', workload: frontend, ...order },
      expect: { status: 401, reason: 'token_missing' },
    },
  ];
}
