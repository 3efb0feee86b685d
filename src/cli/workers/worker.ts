import type { Socket } from 'node:net';
import type { Config } from '../../config/schema.js';
import type { Port, HubReply, HubRequest } from '../../feed/port.js';
import { createReplicaHub } from '../../feed/replica-hub.js';
import { isRefusal } from '../../errors/refusal.js';
import { startGrpcServer } from '../../server/grpc-server.js';
import type { LineSink } from '../../telemetry/line-sink.js';
import type { Log } from '../../telemetry/log.js';
import { createMetrics, type DropCause } from '../../telemetry/metrics.js';
import { startDeciding } from '../engine/deciding.js';
import { startSources } from '../engine/sources.js';
import { entrypointsOf } from '../policy-loader.js';
import { loadPrepared, type Policies, type PoliciesOptions } from '../policy-source.js';
import { version } from '../version.js';
import { connectionAge } from './connection-age.js';
import type { FromWorker, PolicyName, ToWorker } from './messages.js';
import { createPolicyReplica, type PolicyReplica } from './policy-replica.js';

export interface WorkerOptions {
  readonly log: Log;
  /** To the supervisor. */
  readonly port: Port<FromWorker, ToWorker>;
  readonly onConnection: (listener: (socket: Socket) => void) => void;
  /** Where decisions are logged. */
  readonly decisions: (onDrop: (cause: DropCause) => void) => LineSink;
}

/** One process of several that answer. */
export interface Worker {
  /** Lets calls finish within `shutdown_grace`, says its last words, and returns. */
  stop(): Promise<void>;
}

/** Milliseconds between two reports of what was counted: what is lost when the process is killed. */
const REPORT = 2_000;

/** Milliseconds between two looks for the first policy. */
const FIRST_POLICY = 100;

/** Milliseconds for what is buffered of the decision log at the end. */
const LAST_WORDS = 2_000;

/**
 * Serves the connections that the supervisor accepts, with keys, bundles, trust and policies that it fetched. The
 * wiring is that of a server of one process.
 *
 * @throws Failure for what the operator can mend
 */
export async function startWorker(config: Config, options: WorkerOptions): Promise<Worker> {
  const { log, port, onConnection } = options;
  const now = () => Date.now();
  const sources = await startSources(config, { hub: createReplicaHub(hubPort(port)), log, now });
  const metrics = createMetrics(version, { jwks: () => [], trustBundles: () => [], policy: () => undefined });
  const decisions = options.decisions((cause) => metrics.decisionLogDropped(cause));

  const policies = replica('policy', port, now, log, (prepared, laidOut) =>
    loadPrepared(prepared, entrypointsOf(config.policy), config.policy, laidOut),
  );
  await policies.start();
  const deciding = await startDeciding(config, {
    log,
    metrics,
    sources,
    policies,
    decisions,
    now,
    shadowPolicies: shadowReplica(port, log),
  });
  await sources.tokens.firstKeys;
  const server = await startGrpcServer({
    ...deciding.serves,
    tls: sources.endpoint.tls((code) => metrics.connectionRefused(code)),
    age: connectionAge(config),
  });
  onConnection((socket) => {
    socket.once('close', () => port.send({ from: 'closed' }));
    server.take(socket);
  });

  const serving = setInterval(() => {
    if (policies.current() === undefined) return;
    clearInterval(serving);
    server.setServing(true);
  }, FIRST_POLICY);
  serving.unref();
  if (policies.current() !== undefined) server.setServing(true);

  const report = async (all: boolean, id?: number) => {
    const snapshots = await metrics.snapshot(all);
    port.send({ from: 'metrics', snapshots, ...(id !== undefined && { id }) });
  };
  const reports = setInterval(() => void report(false), REPORT);
  reports.unref();
  port.onMessage((message) => {
    if (message.to === 'scrape') void report(true, message.id);
  });
  port.send({ from: 'ready' });

  return {
    async stop() {
      clearInterval(serving);
      deciding.stop();
      port.send({ from: 'leaving' });
      const finished = await server.drain(config.shutdown_grace);
      if (!finished) log.warn('calls were cut off at the end of shutdown_grace');
      await sources.stop();
      await deciding.flush();
      await decisions.close(LAST_WORDS);
      clearInterval(reports);
      await report(true);
    },
  };
}

function hubPort(port: Port<FromWorker, ToWorker>): Port<HubRequest, HubReply> {
  return {
    send: (request) => port.send({ from: 'hub', request }),
    onMessage: (listener) =>
      port.onMessage((message) => {
        if (message.to === 'hub') listener(message.reply);
      }),
    onClose: (listener) => port.onClose(listener),
  };
}

function replica(
  name: PolicyName,
  port: Port<FromWorker, ToWorker>,
  now: () => number,
  log: Log,
  load: Parameters<typeof createPolicyReplica>[0]['load'],
): PolicyReplica {
  const made = createPolicyReplica({
    async load(prepared, laidOut) {
      const loaded = await load(prepared, laidOut);
      if (isRefusal(loaded)) log.error({ code: loaded.code, error: loaded.detail }, `${name} refused`);
      else log.debug({ revision: loaded.revision }, `${name} loaded`);
      return loaded;
    },
    tell: (outcome) => port.send({ from: name, outcome }),
    now,
  });
  port.onMessage((message) => {
    if (message.to === name) made.take(message.piece);
  });
  return made;
}

/** The shadow policy comes as the other one does; what is done with it is for whoever asks it. */
function shadowReplica(port: Port<FromWorker, ToWorker>, log: Log) {
  return (
    config: Config['policy'],
    { now, load }: Pick<PoliciesOptions, 'now' | 'load'>,
  ): Promise<Policies> | undefined => {
    const { shadow } = config;
    if (shadow === undefined) return undefined;
    const entrypoints = shadow.entrypoint === undefined ? entrypointsOf(config) : [shadow.entrypoint];
    return Promise.resolve(
      replica('shadow', port, now, log, (prepared, laidOut) => load!(prepared, entrypoints, laidOut)),
    );
  };
}
