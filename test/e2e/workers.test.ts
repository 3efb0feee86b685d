import { mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { askGrpc, type GrpcAsker } from '../../src/demo/ask-grpc.js';
import type { Case } from '../../src/demo/cases.js';
import { describeEnvoy } from '../support/real-envoy.js';
import { http1 } from './client.js';
import type { EngineProcess } from './engine.js';
import { eventually } from './eventually.js';
import { startMesh, type EngineOverrides, type Mesh } from './mesh.js';
import { marked } from './policy-server.js';

let mesh: Mesh;
const running: { stop(): unknown }[] = [];
beforeAll(async () => {
  mesh = await startMesh();
});
afterEach(async () => {
  for (const one of running.splice(0).reverse()) await one.stop();
});
afterAll(() => mesh?.close());

const WORKERS = 3;

/** Three workers, all of which take connections. */
async function serve(overrides: EngineOverrides = {}): Promise<EngineProcess> {
  const engine = await mesh.engine({ more: `workers: ${WORKERS}\n`, ...overrides });
  running.push({
    stop() {
      engine.kill('SIGKILL');
      return engine.exited;
    },
  });
  await eventually(async () => ((await standing(engine)).every(({ ok }) => ok) ? true : undefined));
  return engine;
}

interface Standing {
  readonly ok: boolean;
  readonly pid: number;
  readonly connections: number;
  readonly revision: string | undefined;
}

/** How each worker stands, by what readiness says. */
async function standing(engine: EngineProcess): Promise<Standing[]> {
  const answer = await fetch(`http://${engine.admin}/readyz`);
  const { checks } = (await answer.json()) as { checks: Record<string, { ok: boolean; detail?: string }> };
  return Object.entries(checks).flatMap(([name, { ok, detail = '' }]) => {
    if (!name.startsWith('worker ')) return [];
    const number = (what: string) => Number(new RegExp(`${what} (\\d+)`).exec(detail)?.[1]);
    const revision = /revision (\S+?),/.exec(detail)?.[1];
    return [{ ok, pid: number('process'), connections: number('connections'), revision }];
  });
}

async function sample(engine: EngineProcess, line: string): Promise<number> {
  const text = await (await fetch(`http://${engine.admin}/metrics`)).text();
  return Number(
    text
      .split('\n')
      .find((one) => one.startsWith(`${line} `))
      ?.slice(line.length + 1),
  );
}

const ALLOWED = 'countersign_decisions_total{outcome="allow",reason="allowed"}';

/** On a connection of its own, which goes to another worker than the one before. */
function connect(engine: EngineProcess): GrpcAsker {
  const asker = askGrpc(engine.grpc, { 'grpc.use_local_subchannel_pool': 1 });
  running.push({ stop: () => asker.close() });
  return asker;
}

async function connectToAll(engine: EngineProcess): Promise<GrpcAsker[]> {
  const token = await mesh.issuer.mint({ scope: 'orders:read' });
  const askers = Array.from({ length: WORKERS }, () => connect(engine));
  for (const asker of askers) await asker.ask(read(token));
  expect((await standing(engine)).map(({ connections }) => connections)).toEqual([1, 1, 1]);
  return askers;
}

function read(token: string): Case {
  const expect = { status: 200, reason: 'allowed' };
  return { title: '', workload: mesh.frontend, method: 'GET', path: '/orders/7', token, expect };
}

function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe('several workers', () => {
  test('share what one process fetches: keys are fetched once, and once for a key that all of them lack', async () => {
    const before = mesh.issuer.keyRequests();
    const engine = await serve();
    const askers = await connectToAll(engine);
    // Metadata, and keys.
    expect(mesh.issuer.keyRequests() - before).toBe(2);
    await mesh.issuer.rotate();
    const token = await mesh.issuer.mint({ scope: 'orders:read' });
    const seen = await Promise.all(askers.map((asker) => asker.ask(read(token))));
    expect(seen.map(({ reason }) => reason)).toEqual(['allowed', 'allowed', 'allowed']);
    expect(mesh.issuer.keyRequests() - before).toBe(4);
  }, 60_000);

  test('all take a policy that is edited', async () => {
    const folder = await mkdtemp(join(mesh.folder, 'policies-'));
    await writeFile(join(folder, 'authz.rego'), marked('A'));
    await writeFile(join(folder, 'data.json'), '{"mark": "1"}');
    const engine = await serve({ policies: folder });
    const old = new Set((await standing(engine)).map(({ revision }) => revision));
    expect(old.size).toBe(1);
    await writeFile(join(folder, 'data.json'), '{"mark": "2"}');
    await eventually(async () => {
      const revisions = new Set((await standing(engine)).map(({ revision }) => revision));
      return revisions.size === 1 && !old.has([...revisions][0]) ? true : undefined;
    });
    await writeFile(join(folder, 'authz.rego'), 'package mesh.authz\n\ndecision := ');
    await eventually(() => (engine.log().includes('policy refused') ? true : undefined));
    // Refused once, where it was compiled, and what was in force stays so everywhere.
    expect(engine.log().match(/policy refused/g)).toHaveLength(1);
    expect((await standing(engine)).every(({ ok, revision }) => ok && !old.has(revision))).toBe(true);
  }, 60_000);

  test('all take data of megabytes, which is laid out once, and so does one that comes later', async () => {
    const folder = await mkdtemp(join(mesh.folder, 'policies-'));
    const data = (mark: string) =>
      JSON.stringify({ mark, filler: Array.from({ length: 30_000 }, (_, n) => `${mark}-${n}`) });
    await writeFile(
      join(folder, 'authz.rego'),
      marked('A', 'data.filler[29999] == sprintf("%s-29999", [data.mark])'),
    );
    await writeFile(join(folder, 'data.json'), data('1'));
    const engine = await serve({ policies: folder });
    const reasons = async (askers: readonly GrpcAsker[]) => {
      const token = await mesh.issuer.mint({ scope: 'orders:read' });
      const seen = await Promise.all(askers.map((asker) => asker.ask(read(token))));
      return seen.map(({ reason, status }) => `${status} ${reason}`);
    };
    const askers = await connectToAll(engine);
    const lines = (mark: string) =>
      engine.decisions().filter(({ result }) => (result as { reason: string }).reason === `A ${mark}`);
    await eventually(() => (lines('1').length === 3 ? true : undefined));
    const [before] = (await standing(engine)) as [Standing];
    await writeFile(join(folder, 'data.json'), data('2'));
    await eventually(async () =>
      (await standing(engine)).every(({ revision }) => revision !== before.revision) ? true : undefined,
    );
    expect(await reasons(askers)).toEqual(['200 allowed', '200 allowed', '200 allowed']);
    process.kill(before.pid, 'SIGKILL');
    await eventually(async () => {
      const [now] = (await standing(engine)) as [Standing];
      return now.ok && now.pid !== before.pid ? true : undefined;
    });
    // It has no connection, and so it gets the next.
    expect(await reasons([connect(engine)])).toEqual(['200 allowed']);
    expect((await standing(engine))[0]!.connections).toBe(1);
    await eventually(() => (lines('2').length === 4 ? true : undefined));
  }, 90_000);

  test('are counted as one server, and what a dead one counted stays counted', async () => {
    const engine = await serve();
    const askers = await connectToAll(engine);
    const token = await mesh.issuer.mint({ scope: 'orders:read' });
    for (const [index, asker] of askers.entries())
      for (let call = 0; call < 10 * (index + 1); call++) await asker.ask(read(token));
    expect(await sample(engine, ALLOWED)).toBe(63);
    expect(await sample(engine, 'countersign_decision_duration_seconds_count')).toBe(63);
    expect(await sample(engine, 'countersign_workers{state="ready"}')).toBe(3);
    expect(await sample(engine, `countersign_jwks_keys{issuer="${mesh.issuer.url}"}`)).toBe(1);
    const [{ pid }] = (await standing(engine)) as [Standing];
    process.kill(pid, 'SIGKILL');
    await eventually(async () =>
      (await sample(engine, 'countersign_worker_deaths_total')) === 1 ? true : undefined,
    );
    expect(await sample(engine, ALLOWED)).toBe(63);
    expect(engine.decisions()).toHaveLength(63);
  }, 60_000);

  test('of which one hangs go on, and another one takes its place', async () => {
    const engine = await serve();
    const askers = await connectToAll(engine);
    const token = await mesh.issuer.mint({ scope: 'orders:read' });
    const [hung] = (await standing(engine)) as [Standing];
    process.kill(hung.pid, 'SIGSTOP');
    const answers = await Promise.all(
      askers.map((asker) =>
        asker.ask(read(token)).then(
          ({ status }) => status,
          () => 'ended',
        ),
      ),
    );
    expect(answers.sort()).toEqual([200, 200, 'ended']);
    await eventually(async () => {
      const [now] = (await standing(engine)) as [Standing];
      return now.ok && now.pid !== hung.pid ? true : undefined;
    });
    expect(engine.log()).toContain('it hung for 15 s');
    expect((await connect(engine).ask(read(token))).status).toBe(200);
  }, 90_000);

  test('finish every call when the supervisor is told to end', async () => {
    const engine = await serve();
    const askers = await connectToAll(engine);
    const token = await mesh.issuer.mint({ scope: 'orders:read' });
    const calls = askers.flatMap((asker) => Array.from({ length: 50 }, () => asker.ask(read(token))));
    await calls[0];
    const pids = (await standing(engine)).map(({ pid }) => pid);
    engine.kill('SIGTERM');
    const seen = await Promise.all(calls);
    expect(new Set(seen.map(({ reason }) => reason))).toEqual(new Set(['allowed']));
    for (const asker of askers) asker.close();
    expect(await engine.exited).toBe(0);
    expect(pids.some(alive)).toBe(false);
    expect(engine.decisions()).toHaveLength(153);
  }, 60_000);

  test('end at once at a second signal, and with a supervisor that is killed', async () => {
    const hasty = await serve();
    const first = (await standing(hasty)).map(({ pid }) => pid);
    hasty.kill('SIGTERM');
    hasty.kill('SIGTERM');
    await hasty.exited;
    await eventually(() => (first.some(alive) ? undefined : true));

    const killed = await serve();
    const second = (await standing(killed)).map(({ pid }) => pid);
    expect(second.every(alive)).toBe(true);
    killed.kill('SIGKILL');
    await killed.exited;
    await eventually(() => (second.some(alive) ? undefined : true));
  }, 60_000);

  test('of which one is asked to go finish its calls, and another one takes its place', async () => {
    const engine = await serve();
    const [{ pid }] = (await standing(engine)) as [Standing];
    process.kill(pid, 'SIGTERM');
    await eventually(async () => {
      const [now] = (await standing(engine)) as [Standing];
      return now.ok && now.pid !== pid ? true : undefined;
    });
    expect(alive(pid)).toBe(false);
  }, 60_000);
});

describeEnvoy('several workers behind a real Envoy', () => {
  /** Requests one after the other through an Envoy of its own, until they are stopped. */
  async function traffic(engine: string, bearer: string) {
    const envoy = await mesh.envoy(engine);
    const ask = async () =>
      (
        await http1({
          ...mesh.as(mesh.frontend, envoy),
          path: '/orders/7',
          headers: { authorization: `Bearer ${bearer}` },
        })
      ).status;
    const seen: number[] = [];
    let going = true;
    const clients = Array.from({ length: 4 }, async () => {
      while (going) seen.push(await ask());
    });
    const stop = async () => {
      going = false;
      await Promise.all(clients);
      await envoy.stop();
    };
    running.push({ stop });
    await eventually(() => (seen.length > 20 ? true : undefined));
    return { seen, stop };
  }

  test('trap 1: one that is killed denies what it was asked, and no more; the others and its successor answer', async () => {
    const grpc = `unix://${join(mesh.folder, 'w.sock')}`;
    const engine = await serve({ grpc });
    const token = await mesh.issuer.mint({ scope: 'orders:read' });
    const forbidden = await traffic(grpc, await mesh.issuer.mint({ scope: 'nothing' }));
    const one = await traffic(grpc, token);
    const other = await traffic(grpc, token);
    const workers = await standing(engine);
    expect(workers.map(({ connections }) => connections)).toEqual([1, 1, 1]);
    // The second Envoy's.
    process.kill(workers[1]!.pid, 'SIGKILL');
    const killed = one.seen.length;
    await eventually(async () => {
      const now = await standing(engine);
      return now.every(({ ok }) => ok) && now[1]!.pid !== workers[1]!.pid ? true : undefined;
    });
    await eventually(() => (one.seen.length > killed + 50 ? true : undefined));
    for (const { stop } of [forbidden, one, other]) await stop();
    expect(new Set(other.seen)).toEqual(new Set([200]));
    expect(new Set(forbidden.seen)).toEqual(new Set([403]));
    // Each of the four clients had one under way at most, and Envoy may have sent another before it noticed.
    const denied = one.seen.filter((status) => status !== 200);
    expect(denied.length).toBeLessThanOrEqual(8);
    expect(new Set(denied).size).toBeLessThanOrEqual(1);
    expect(denied.every((status) => status === 403)).toBe(true);
    expect(one.seen.slice(-20)).toEqual(Array.from({ length: 20 }, () => 200));
    expect(engine.log()).toContain('another one takes its place');
  }, 90_000);

  test('connections that reach their age move on to another worker, and no request fails over it', async () => {
    const engine = await serve({ listen: 'max_connection_age: 1s' });
    const { seen, stop } = await traffic(engine.grpc, await mesh.issuer.mint({ scope: 'orders:read' }));
    const served = new Set<number>();
    for (const until = performance.now() + 6_000; performance.now() < until;)
      for (const { pid, connections } of await standing(engine)) if (connections > 0) served.add(pid);
    await stop();
    expect(served.size).toBe(3);
    expect(seen.length).toBeGreaterThan(100);
    expect(seen.filter((status) => status !== 200)).toEqual([]);
  }, 60_000);
});
