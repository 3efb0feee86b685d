import { mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { askGrpc } from '../../src/demo/ask-grpc.js';
import type { Seen } from '../../src/demo/cases.js';
import { startEngine, type EngineProcess } from './engine.js';
import { eventually as soon } from './eventually.js';
import type { Mesh } from './mesh.js';

/** A policy whose every decision bears its mark, and that lets GET through where `allowed` says so. */
export const marked = (
  mark: string,
  allowed = 'input.attributes.request.http.method == "GET"',
) => `package mesh.authz

default allow := false

allow if ${allowed}

decision := {"allowed": allow, "reason": sprintf("%s %s", ["${mark}", data.mark])}
`;

/** Starts an engine on a policy, without tokens. */
export async function serve(mesh: Mesh, policy: string): Promise<EngineProcess> {
  const folder = await mkdtemp(join(mesh.folder, 'reload-'));
  await writeFile(join(folder, 'root.pem'), mesh.domain.bundlePem);
  const config = `
listen: { grpc: '127.0.0.1:0', admin: '127.0.0.1:0' }
identity: { trust_domains: { example.org: { bundle: ./root.pem } } }
token: { mode: "off" }
policy: ${policy}
`;
  await writeFile(join(folder, 'countersign.yaml'), config);
  return startEngine(join(folder, 'countersign.yaml'), 'policy');
}

export type Asker = ReturnType<typeof askGrpc>;

export function ask(mesh: Mesh, asker: Asker, method = 'GET'): Promise<Seen> {
  const expect = { status: 200, reason: 'allowed' };
  return asker.ask({ title: '', workload: mesh.frontend, method, path: '/orders/7', expect });
}

/** Compiling gives way to whatever else the machine does: on a busy one it takes its time. */
export async function eventually<T>(look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (let tries = 0; ; tries++) {
    const seen = await soon(look).catch((error: unknown) => (tries < 8 ? undefined : Promise.reject(error)));
    if (seen !== undefined) return seen;
  }
}

export async function readyz(
  engine: EngineProcess,
): Promise<{ ready: boolean; checks: Record<string, { ok: boolean; detail: string }> }> {
  return (await (await fetch(`http://${engine.admin}/readyz`)).json()) as never;
}

export async function metric(engine: EngineProcess, name: string): Promise<number> {
  const text = await (await fetch(`http://${engine.admin}/metrics`)).text();
  const line = text.split('\n').find((one) => one.startsWith(`${name} `));
  return Number(line?.split(' ').at(-1));
}

export async function mark(mesh: Mesh, asker: Asker, engine: EngineProcess): Promise<string> {
  const before = engine.decisions().length;
  await ask(mesh, asker, 'DELETE');
  const last = await eventually(() => engine.decisions()[before]);
  return (last as { result: { reason: string } }).result.reason;
}

/** Milliseconds until the policy answers with this mark. */
export async function until(
  mesh: Mesh,
  asker: Asker,
  engine: EngineProcess,
  wanted: string,
): Promise<number> {
  const started = performance.now();
  await eventually(async () => ((await mark(mesh, asker, engine)) === wanted ? true : undefined));
  return performance.now() - started;
}
