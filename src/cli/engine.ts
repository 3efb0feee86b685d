import { readFile } from 'node:fs/promises';
import type { DestinationStream } from 'pino';
import { startAdmin, type AdminServer, type Readiness } from '../admin/http.js';
import { isFault, parseListenAddress } from '../config/listen-address.js';
import type { Config } from '../config/schema.js';
import { createPipeline } from '../decision/pipeline.js';
import { createBundleFiles } from '../identity/bundle-files.js';
import { createIdentityVerifier } from '../identity/verifier.js';
import { runInBackground } from '../rego/opa-command.js';
import { createAuthorization } from '../server/authorization.js';
import { startGrpcServer } from '../server/grpc-server.js';
import { createDecisionLog } from '../telemetry/decision-log.js';
import type { Log } from '../telemetry/log.js';
import { createMetrics } from '../telemetry/metrics.js';
import { createKeySource } from '../token/key-source.js';
import { createTokenVerifier } from '../token/verifier.js';
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

/** Milliseconds between two looks at the trust bundles' files. */
const BUNDLE_POLL = 5_000;

/** Milliseconds between two looks for the first policy of a service. */
const FIRST_POLICY = 100;

/** Milliseconds that the first fetch of keys may hold up readiness. */
const FIRST_KEYS = 5_000;

/**
 * Wires the stages together and serves. It decides nothing itself.
 *
 * @throws Failure for what the operator can mend: a bundle, a policy, an address
 */
export async function startEngine(config: Config, { log, decisions }: EngineOptions): Promise<Engine> {
  const now = () => Date.now();
  const bundles = createBundleFiles({
    files: new Map(Object.entries(config.identity.trust_domains).map(([name, { bundle }]) => [name, bundle])),
    readFile: (path) => readFile(path, 'utf8'),
    now,
  });
  await bundles.refresh();
  const broken = bundles
    .status()
    .flatMap(({ trustDomain, error }) => (error ? `${trustDomain}: ${error}` : []));
  if (broken.length > 0) throw new Failure(`identity.trust_domains: ${broken.join('\n')}`);

  const issuers = config.token.issuers.map((issuer) => ({
    issuer: issuer.issuer,
    audiences: issuer.audiences,
    algorithms: issuer.algorithms,
    profile: issuer.profile,
    maxLifetime: issuer.max_lifetime,
    clockSkew: issuer.clock_skew,
    keys: createKeySource({
      issuer: issuer.issuer,
      location: issuer.jwks,
      refresh: issuer.jwks_refresh,
      cooldown: issuer.jwks_cooldown,
      maxStale: issuer.jwks_max_stale,
      fetch,
      readFile: (path) => readFile(path, 'utf8'),
      now,
    }),
  }));
  const firstKeys = Promise.all(issuers.map(({ keys }) => keys.start()));

  const descriptors = await loadDescriptors(config.policy.proto_descriptor);
  const metrics = createMetrics(version, {
    jwks: () => issuers.map(({ keys }) => keys.status()),
    trustBundles: () => bundles.status(),
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
    identity: createIdentityVerifier({ source: config.identity.source, bundles }),
    token: createTokenVerifier({ issuers, maxBytes: config.token.max_bytes, now }),
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
      ...Object.fromEntries(
        bundles.status().map(({ trustDomain, error }) => [`trust bundle of ${trustDomain}`, standing(error)]),
      ),
      ...Object.fromEntries(
        issuers.map(({ keys }) => {
          const { issuer, stale, lastError } = keys.status();
          return [`keys of ${issuer}`, { ...standing(lastError), ok: !stale }];
        }),
      ),
    },
  });

  const tellChanges = changeTeller(log, () => [
    ...bundles.status().map(({ trustDomain, error }) => [`trust bundle of ${trustDomain}`, error] as const),
    ...issuers.map(({ keys }) => [`keys of ${keys.status().issuer}`, keys.status().lastError] as const),
  ]);
  const poll = setInterval(() => {
    void bundles.refresh().then((changed) => {
      if (changed) log.info({ revision: bundles.current().revision }, 'trust bundles changed');
      tellChanges();
    });
  }, BUNDLE_POLL);
  poll.unref();

  const admin = await listenAdmin(config, metrics, readiness);
  const server = await startGrpcServer({ address: config.listen.grpc, check }).catch(async (error: Error) => {
    await admin?.close();
    throw new Failure(error.message);
  });
  // An issuer that does not answer must not keep the others' tokens out: it is waited for, but not for long.
  await Promise.race([firstKeys, elapsed(FIRST_KEYS)]);
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
      clearInterval(poll);
      clearInterval(waiting);
      policies.stop();
      shadow?.stop();
      const finished = await server.drain(config.shutdown_grace);
      if (!finished) log.warn('calls were cut off at the end of shutdown_grace');
      for (const { keys } of issuers) keys.stop();
      await admin?.close();
      await decisionLog?.close();
      log.info('stopped');
    },
  };
}

/** Logs when something that is refreshed begins to fail, fails in another way, or works again. */
function changeTeller(
  log: Log,
  sources: () => readonly (readonly [what: string, error: string | undefined])[],
): () => void {
  const told = new Map<string, string | undefined>();
  return () => {
    for (const [what, error] of sources()) {
      if (told.get(what) === error) continue;
      told.set(what, error);
      if (error === undefined) log.info({ what }, 'refreshed again');
      else log.warn({ what, error }, 'not refreshed; the last good one serves as long as it may');
    }
  };
}

function elapsed(milliseconds: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, milliseconds).unref());
}

function standing(error: string | undefined): { ok: boolean; detail?: string } {
  return error === undefined ? { ok: true } : { ok: false, detail: error };
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
