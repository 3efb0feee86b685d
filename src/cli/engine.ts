import type { DestinationStream } from 'pino';
import { startAdmin, type AdminServer, type Readiness } from '../admin/http.js';
import { isFault, parseListenAddress } from '../config/listen-address.js';
import type { Config } from '../config/schema.js';
import { createPipeline } from '../decision/pipeline.js';
import { localHub } from '../feed/feed.js';
import { runInBackground } from '../rego/opa-command.js';
import { createAuthorization } from '../server/authorization.js';
import { startGrpcServer } from '../server/grpc-server.js';
import { createDecisionLog } from '../telemetry/decision-log.js';
import type { Log } from '../telemetry/log.js';
import { createMetrics } from '../telemetry/metrics.js';
import { startIdentity } from './engine/identity.js';
import type { EnginePart } from './engine/part.js';
import { startTokens } from './engine/tokens.js';
import { Failure } from './failure.js';
import { policyEvents } from './policy-events.js';
import { createPolicies } from './policy-source.js';
import { inForce, policyChecks } from './policy-standing.js';
import { loadDescriptors } from './proto-descriptor.js';
import { startShadow } from './shadow.js';
import { version } from './version.js';

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
}

/** Milliseconds between two looks at what is refreshed, for the log. */
const CHANGES = 5_000;

/** Milliseconds between two looks for the first policy of a service. */
const FIRST_POLICY = 100;

/**
 * Wires the stages together and serves. It decides nothing itself.
 *
 * @throws Failure for what the operator can mend: a bundle, a policy, an address
 */
export async function startEngine(config: Config, { log, decisions }: EngineOptions): Promise<Engine> {
  const now = () => Date.now();
  const part = { hub: localHub, log, now };
  const identity = await startIdentity(config, part);
  const tokens = startTokens(config, part);

  const descriptors = await loadDescriptors(config.policy.proto_descriptor);
  const metrics = createMetrics(version, {
    jwks: () => tokens.status(),
    trustBundles: () => identity.status(),
    policy: () => inForce(policies),
    bundles: () => policies.status(),
  });
  runInBackground();
  const policies = await createPolicies(config.policy, {
    now,
    ...policyEvents('policy', log, metrics.policy),
  });
  await policies.start();
  const decisionLog = config.decision_log.enabled
    ? createDecisionLog({
        labels: { app: 'countersign', version },
        includeBody: config.decision_log.include_body,
        erase: config.decision_log.mask,
        onDrop: (cause) => metrics.decisionLogDropped(cause),
        ...(decisions && { destination: decisions }),
      })
    : undefined;

  const shadow = await startShadow(config.policy, { log, metrics: metrics.policy, decisionLog, now });
  const pipeline = createPipeline({
    identity: identity.verifier,
    token: tokens.verifier,
    tokenMode: config.token.mode,
    policy: () => policies.current(),
    entrypoint: config.policy.entrypoint,
    now,
  });
  const check = createAuthorization({
    pipeline,
    descriptors,
    observe(observation) {
      metrics.observe(observation);
      decisionLog?.record(observation);
      shadow?.offer(observation);
    },
    onDefect: (error) => log.error({ err: error }, 'a defect in Countersign; the request was denied'),
  });

  let phase: 'starting up' | 'serving' | 'shutting down' = 'starting up';
  const readiness = (): Readiness => ({
    ready: phase === 'serving' && policies.current() !== undefined,
    checks: {
      serving: phase === 'serving' ? { ok: true } : { ok: false, detail: phase },
      ...policyChecks(policies),
      ...identity.checks(),
      ...tokens.checks(),
    },
  });

  const tellChanges = changeTeller(log, [identity, tokens]);
  const look = setInterval(tellChanges, CHANGES);
  look.unref();

  const admin = await listenAdmin(config, metrics, readiness);
  const server = await startGrpcServer({ address: config.listen.grpc, check }).catch(async (error: Error) => {
    await admin?.close();
    throw new Failure(error.message);
  });
  await tokens.firstKeys;
  tellChanges();
  phase = 'serving';
  const addresses = { grpc: server.address, admin: admin?.address };
  const announce = () => {
    const revision = policies.current()?.revision;
    if (revision === undefined || phase !== 'serving') return;
    clearInterval(waiting);
    server.setServing(true);
    log.info({ ...addresses, revision, version }, 'serving');
  };
  const waiting = setInterval(announce, FIRST_POLICY);
  waiting.unref();
  announce();
  if (policies.current() === undefined)
    log.warn(
      addresses,
      'there is no policy yet, and so everything is denied; waiting for the bundle service',
    );

  return {
    grpc: server.address,
    ...(admin && { admin: admin.address }),
    async reloadPolicy() {
      await Promise.all([policies.reload(), shadow?.reload()]);
    },
    async stop() {
      phase = 'shutting down';
      clearInterval(look);
      clearInterval(waiting);
      policies.stop();
      shadow?.stop();
      const finished = await server.drain(config.shutdown_grace);
      if (!finished) log.warn('calls were cut off at the end of shutdown_grace');
      await tokens.stop();
      await identity.stop();
      await admin?.close();
      await decisionLog?.close();
      log.info('stopped');
    },
  };
}

/** Logs when something that is refreshed begins to fail, fails in another way, or works again. */
function changeTeller(log: Log, parts: readonly EnginePart[]): () => void {
  const told = new Map<string, string | undefined>();
  return () => {
    for (const [what, error] of parts.flatMap((part) => part.standings())) {
      if (told.get(what) === error) continue;
      told.set(what, error);
      if (error === undefined) log.info({ what }, 'refreshed again');
      else log.warn({ what, error }, 'not refreshed; the last good one serves as long as it may');
    }
  };
}

async function listenAdmin(
  config: Config,
  metrics: ReturnType<typeof createMetrics>,
  readiness: () => Readiness,
): Promise<AdminServer | undefined> {
  if (config.listen.admin === 'off') return undefined;
  const address = parseListenAddress(config.listen.admin);
  // The schema took both cases out already.
  if (isFault(address) || !('port' in address)) throw new Failure('listen.admin is not host:port');
  return startAdmin({ ...address, metrics, readiness }).catch((error: Error) => {
    throw new Failure(error.message);
  });
}
