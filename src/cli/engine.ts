import type { DestinationStream } from 'pino';
import type { Readiness } from '../admin/http.js';
import type { Config } from '../config/schema.js';
import { localHub } from '../feed/feed.js';
import { runInBackground } from '../rego/opa-command.js';
import { startGrpcServer } from '../server/grpc-server.js';
import type { Log } from '../telemetry/log.js';
import { createMetrics } from '../telemetry/metrics.js';
import { listenAdmin } from './engine/admin.js';
import { startAnnouncement } from './engine/announcement.js';
import { startChangeTeller } from './engine/change-teller.js';
import { startDeciding } from './engine/deciding.js';
import { listenOptions, warnOfExposure } from './engine/endpoint.js';
import { startSources } from './engine/sources.js';
import { Failure } from './failure.js';
import { policyEvents } from './policy-events.js';
import { createPolicies } from './policy-source.js';
import { inForce, policyChecks } from './policy-standing.js';
import { version } from './version.js';
import { connectionAge } from './workers/connection-age.js';

export interface EngineOptions {
  readonly log: Log;
  /** Where decisions are logged. Standard output unless given. */
  readonly decisions?: DestinationStream;
}

/** A running server. */
export interface Engine {
  /** `host:port` or `unix:///path`, as it listens. */
  readonly grpc: string;
  /** `host:port`; absent when `listen.admin` is off. */
  readonly admin?: string;
  /** Looks for the policy now, changed or not. Never rejects. */
  reloadPolicy(): Promise<void>;
  /** Says NOT_SERVING, lets calls finish within `shutdown_grace`, flushes the logs. */
  stop(): Promise<void>;
  /** Ends other processes that belong to it, at once: this one is about to end. */
  kill(): void;
}

/**
 * Serves from this very process. It decides nothing itself.
 *
 * @throws Failure for what the operator can mend: a bundle, a policy, an address
 */
export async function startEngine(config: Config, { log, decisions }: EngineOptions): Promise<Engine> {
  const now = () => Date.now();
  const listen = await listenOptions(config);
  const sources = await startSources(config, { hub: localHub, log, now });
  const metrics = createMetrics(version, {
    ...sources.freshness,
    policy: () => inForce(policies),
    bundles: () => policies.status(),
  });
  runInBackground();
  const policies = await createPolicies(config.policy, {
    now,
    ...policyEvents('policy', log, metrics.policy),
  });
  await policies.start();
  const deciding = await startDeciding(config, { log, metrics, sources, policies, decisions, now });

  let phase: 'starting up' | 'serving' | 'shutting down' = 'starting up';
  const readiness = (): Readiness => ({
    ready:
      phase === 'serving' &&
      policies.current() !== undefined &&
      sources.revocation.ready() &&
      sources.endpoint.ready(),
    checks: {
      serving: phase === 'serving' ? { ok: true } : { ok: false, detail: phase },
      ...policyChecks(policies),
      ...Object.assign({}, ...sources.parts.map((part) => part.checks())),
    },
  });

  const changes = startChangeTeller(log, sources.parts);
  const admin = await listenAdmin(config, { metrics, readiness, protectedRoutes: sources.adminRoutes });
  warnOfExposure(config, log);
  const server = await startGrpcServer({
    ...listen,
    ...deciding.serves,
    tls: sources.endpoint.tls((code) => metrics.connectionRefused(code)),
    age: connectionAge(config, false),
  }).catch(async (error: Error) => {
    await admin?.close();
    throw new Failure(error.message);
  });
  await sources.tokens.firstKeys;
  changes.tell();
  phase = 'serving';
  const announcement = startAnnouncement(log, {
    serves: { grpc: server.address, admin: admin?.address },
    revision: () => policies.current()?.revision,
    ready: () => phase === 'serving',
    onServing: () => server.setServing(true),
  });

  return {
    grpc: server.address,
    ...(admin && { admin: admin.address }),
    async reloadPolicy() {
      await Promise.all([policies.reload(), deciding.reload()]);
    },
    async stop() {
      phase = 'shutting down';
      changes.stop();
      announcement.stop();
      policies.stop();
      deciding.stop();
      const finished = await server.drain(config.shutdown_grace);
      if (!finished) log.warn('calls were cut off at the end of shutdown_grace');
      await sources.stop();
      await admin?.close();
      await deciding.flush();
      log.info('stopped');
    },
    kill() {},
  };
}
