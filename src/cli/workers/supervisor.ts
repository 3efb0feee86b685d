import { write } from 'node:fs';
import type { DestinationStream } from 'pino';
import type { Readiness } from '../../admin/http.js';
import type { Config } from '../../config/schema.js';
import { isRefusal, refuse } from '../../errors/refusal.js';
import { createPublishingHub, type PublishingHub } from '../../feed/publishing-hub.js';
import { runInBackground } from '../../rego/opa-command.js';
import { startHandover } from '../../server/handover.js';
import { createWorkerPool, type WorkerPool } from '../../server/worker-pool.js';
import { createAggregate } from '../../telemetry/aggregate.js';
import { relayLines } from '../../telemetry/line-relay.js';
import { standardOutput, writeWhole } from '../../telemetry/line-sink.js';
import type { Log } from '../../telemetry/log.js';
import { createMetrics, type Metrics } from '../../telemetry/metrics.js';
import type { Engine } from '../engine.js';
import { listenAdmin } from '../engine/admin.js';
import { startAnnouncement } from '../engine/announcement.js';
import { startChangeTeller } from '../engine/change-teller.js';
import { listenOptions, warnOfExposure } from '../engine/endpoint.js';
import { startSources } from '../engine/sources.js';
import { Failure } from '../failure.js';
import { policyEvents } from '../policy-events.js';
import { createPolicies, createShadowPolicies, loadPrepared, type Policies } from '../policy-source.js';
import { inForce, policyChecks } from '../policy-standing.js';
import { loadDescriptors } from '../proto-descriptor.js';
import { createShadowThread } from '../shadow-thread.js';
import { version } from '../version.js';
import type { PolicyName } from './messages.js';
import { createPolicyPublisher, type PolicyPublisher } from './policy-publisher.js';
import { Scrape } from './scrape.js';
import { forkWorker, type OurWorker } from './worker-process.js';

export interface SupervisorOptions {
  readonly log: Log;
  /** Where the lines of the workers' logs go: where those of {@link log} do. */
  readonly errors: DestinationStream;
}

/** Milliseconds. Each worker reports every two seconds what it has counted. */
const SILENCE = 15_000;

/** Milliseconds beyond `shutdown_grace` that a worker has for its last words. */
const LAST_WORDS = 5_000;

/**
 * Serves from several processes. This one fetches what they lean on and hands it to them, accepts connections and
 * gives each to a worker, replaces workers that die, and tells the operator how all of it stands. It decides nothing.
 *
 * @throws Failure for what the operator can mend: a bundle, a policy, an address
 */
export async function startSupervisor(
  config: Config,
  size: number,
  { log, errors }: SupervisorOptions,
): Promise<Engine> {
  const now = () => Date.now();
  const listen = await listenOptions(config);
  const hub = createPublishingHub();
  const sources = await startSources(config, { hub, log, now });
  // Only to be told now, and once, if there is something wrong with them.
  await loadDescriptors(config.policy.proto_descriptor);
  const metrics = createMetrics(version, {
    ...sources.freshness,
    policy: () => inForce(policies),
    bundles: () => policies.status(),
    workers: () => workersOf(pool),
  });
  runInBackground();

  const publishers = { policy: createPolicyPublisher(), shadow: createPolicyPublisher() };
  const policies = await publishedPolicies(config, publishers.policy, log, metrics, now);
  await policies.start();
  const shadow = await publishedShadow(config, publishers.shadow, log, metrics, now);
  // Its failures are told one by one.
  void shadow?.start().catch(() => {});

  let phase: 'starting up' | 'serving' | 'shutting down' = 'starting up';
  const revisions = new Map<OurWorker, string>();
  const pool: WorkerPool<OurWorker> = createWorkerPool({
    size,
    silence: SILENCE,
    spawn: (worker) => spawn(worker),
    onDeath: (worker, how, pause) =>
      log.error({ worker, how, pause }, 'a worker ended; another one takes its place'),
  });
  const scrape = new Scrape(metrics, createAggregate(), () => pool.all().map(({ process }) => process));
  const decisions = lineWriter(standardOutput(), () => metrics.decisionLogDropped('failure'));

  function spawn(number: number): OurWorker {
    const worker = forkWorker(number);
    attach(worker, hub, publishers);
    scrape.attach(worker);
    worker.onMessage((message) => {
      pool.alive(number, worker);
      if (message.from === 'ready') {
        pool.ready(number, worker);
        log.info({ worker: number, pid: worker.pid }, 'worker ready');
        handover.settle();
      } else if (message.from === 'leaving') pool.leaving(number, worker);
      else if (message.from === 'policy' && message.outcome.kind === 'loaded')
        revisions.set(worker, message.outcome.revision);
    });
    worker.onClose(() => revisions.delete(worker));
    void relayLines(worker.decisions, { put: decisions });
    void relayLines(worker.errors, { put: (lines) => void errors.write(lines.toString()) });
    worker.send({ to: 'start', worker: number, config });
    return worker;
  }

  const readiness = (): Readiness => {
    const serving = pool.serving().filter(({ process }) => revisions.has(process));
    return {
      ready:
        phase === 'serving' &&
        policies.current() !== undefined &&
        sources.revocation.ready() &&
        sources.endpoint.ready() &&
        serving.length > 0,
      checks: {
        serving: phase === 'serving' ? { ok: true } : { ok: false, detail: phase },
        ...policyChecks(policies),
        ...Object.assign({}, ...sources.parts.map((part) => part.checks())),
        ...workerChecks(pool, revisions),
      },
    };
  };

  const changes = startChangeTeller(log, sources.parts);
  const admin = await listenAdmin(config, {
    metrics: { text: () => scrape.text(), contentType: metrics.contentType },
    readiness,
    protectedRoutes: sources.adminRoutes,
  });
  warnOfExposure(config, log);
  const handover = await startHandover({
    ...listen,
    takers: () => pool.serving().map(({ process }) => process),
  }).catch(async (error: Error) => {
    await admin?.close();
    throw new Failure(error.message);
  });
  const { address } = handover;
  pool.start();
  await sources.tokens.firstKeys;
  changes.tell();
  phase = 'serving';
  const announcement = startAnnouncement(log, {
    serves: { grpc: address, admin: admin?.address, workers: size },
    revision: () => policies.current()?.revision,
    ready: () => readiness().ready,
  });

  return {
    grpc: address,
    ...(admin && { admin: admin.address }),
    async reloadPolicy() {
      await Promise.all([policies.reload(), shadow?.reload()]);
    },
    async stop() {
      phase = 'shutting down';
      changes.stop();
      announcement.stop();
      policies.stop();
      shadow?.stop();
      handover.close();
      for (const { process } of pool.all()) process.send({ to: 'stop' });
      const finished = await pool.stop(config.shutdown_grace + LAST_WORDS);
      if (!finished) log.warn('a worker did not end by itself, and was killed');
      await sources.stop();
      await admin?.close();
      log.info('stopped');
    },
    kill() {
      for (const { process } of pool.all()) process.kill('SIGKILL');
    },
  };
}

/** What a worker is told and answered as long as it lives. */
function attach(
  worker: OurWorker,
  hub: PublishingHub,
  publishers: { readonly [name in PolicyName]: PolicyPublisher },
): void {
  hub.attach({
    send: (reply) => worker.send({ to: 'hub', reply }),
    onMessage: (listener) =>
      worker.onMessage((message) => {
        if (message.from === 'hub') listener(message.request);
      }),
    onClose: (listener) => worker.onClose(listener),
  });
  for (const name of ['policy', 'shadow'] as const) {
    const link = publishers[name].attach({
      send: (piece) => worker.sendAndWait({ to: name, piece }),
    });
    worker.onMessage((message) => {
      if (message.from === name) link.take(message.outcome);
    });
    worker.onClose(() => link.end());
  }
}

/** What loads here loads in a worker: so that it is refused once, here, and the last good one stays everywhere. */
function publishedPolicies(
  config: Config,
  publisher: PolicyPublisher,
  log: Log,
  metrics: Metrics,
  now: () => number,
): Promise<Policies> {
  return createPolicies(config.policy, {
    now,
    ...policyEvents('policy', log, metrics.policy),
    layOut: true,
    async load(prepared, entrypoints, laidOut) {
      const policy = await loadPrepared(prepared, entrypoints, config.policy, laidOut);
      if (isRefusal(policy)) return policy;
      publisher.publish(prepared, laidOut);
      const { revision, bundles } = prepared;
      return { revision, bundles, entrypoints, evaluate: () => DECIDED_ELSEWHERE };
    },
  });
}

const DECIDED_ELSEWHERE = refuse('policy_unavailable', 'it is for the workers to decide');

/** The same for the one that is only asked. It may hang: it is tried in a thread. */
function publishedShadow(
  config: Config,
  publisher: PolicyPublisher,
  log: Log,
  metrics: Metrics,
  now: () => number,
): Promise<Policies> | undefined {
  return createShadowPolicies(config.policy, {
    now,
    ...policyEvents('shadow policy', log, metrics.policy),
    async load(prepared, entrypoints) {
      const thread = createShadowThread(config.policy.allow_request_target_rewrite);
      const refusal = await thread.load(prepared, entrypoints);
      thread.stop();
      if (refusal !== undefined) return refusal;
      publisher.publish(prepared);
      const { revision, bundles } = prepared;
      return { revision, bundles, entrypoints, evaluate: () => DECIDED_ELSEWHERE };
    },
  });
}

function workersOf(pool: WorkerPool<OurWorker>) {
  const connections = new Map(pool.all().map(({ worker, process }) => [worker, process.connections]));
  return pool.standings().map(({ worker, state, deaths }) => ({
    worker,
    state,
    deaths,
    connections: connections.get(worker) ?? 0,
  }));
}

function workerChecks(
  pool: WorkerPool<OurWorker>,
  revisions: ReadonlyMap<OurWorker, string>,
): Readiness['checks'] {
  const processes = new Map(pool.all().map(({ worker, process }) => [worker, process]));
  return Object.fromEntries(
    pool.standings().map(({ worker, pid, state, deaths, lastDeath }) => {
      const process = processes.get(worker);
      const revision = process && revisions.get(process);
      const detail = [
        state,
        ...(pid === undefined ? [] : [`process ${pid}`]),
        ...(revision === undefined ? [] : [`revision ${revision}`]),
        ...(process === undefined ? [] : [`connections ${process.connections}`]),
        ...(deaths === 0 ? [] : [`died ${deaths} times, the last by ${lastDeath}`]),
      ];
      return [`worker ${worker}`, { ok: state === 'ready', detail: detail.join(', ') }];
    }),
  );
}

/**
 * Writes blocks of lines one after the other: a part of one must not land in another. What cannot be written is
 * counted.
 */
function lineWriter(fd: number, onDrop: () => void): (lines: Buffer) => Promise<void> {
  const put = (lines: Buffer) =>
    new Promise<void>((resolve) => {
      writeWhole(
        (bytes, done) => write(fd, bytes, done),
        lines,
        () => false,
        (error) => {
          if (error) for (const byte of lines) if (byte === 0x0a) onDrop();
          resolve();
        },
      );
    });
  let last: Promise<void> = Promise.resolve();
  return (lines) => (last = last.then(() => put(lines)));
}
