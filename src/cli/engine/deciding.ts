import type { DestinationStream } from 'pino';
import type { Config } from '../../config/schema.js';
import { createPipeline } from '../../decision/pipeline.js';
import { createAuthorization } from '../../server/authorization.js';
import type { GrpcServerOptions } from '../../server/grpc-server.js';
import { createDecisionLog } from '../../telemetry/decision-log.js';
import type { Log } from '../../telemetry/log.js';
import type { Metrics } from '../../telemetry/metrics.js';
import type { Policies } from '../policy-source.js';
import { loadDescriptors } from '../proto-descriptor.js';
import { startShadow, type ShadowPoliciesMaker } from '../shadow.js';
import { version } from '../version.js';
import type { Sources } from './sources.js';

export interface DecidingOptions {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly sources: Sources;
  readonly policies: Pick<Policies, 'current'>;
  /** Where the shadow policy comes from. Default: from where the configuration says. */
  readonly shadowPolicies?: ShadowPoliciesMaker;
  /** Where decisions are logged. Standard output unless given. */
  readonly decisions?: DestinationStream | undefined;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** What answers Envoy. */
export interface Deciding {
  readonly serves: Pick<GrpcServerOptions, 'check' | 'onDrop'>;
  /** Looks for the shadow policy now. Never rejects. */
  reload(): Promise<void>;
  /** The policies beside the one that decides are not refreshed any more. */
  stop(): void;
  /** Writes out what is still to be logged. */
  flush(): Promise<void>;
}

/**
 * Wires the stages together, with what is told of each decision: in every process that answers alike.
 *
 * @throws Failure for what the operator has to mend
 */
export async function startDeciding(config: Config, options: DecidingOptions): Promise<Deciding> {
  const { log, metrics, sources, policies, decisions, now } = options;
  const descriptors = await loadDescriptors(config.policy.proto_descriptor);
  const decisionLog = config.decision_log.enabled
    ? createDecisionLog({
        labels: { app: 'countersign', version },
        includeBody: config.decision_log.include_body,
        erase: [...config.decision_log.mask, ...userTokenHeader(config)],
        onDrop: (cause) => metrics.decisionLogDropped(cause),
        ...(decisions && { destination: decisions }),
      })
    : undefined;
  const shadow = await startShadow(config.policy, {
    log,
    metrics: metrics.policy,
    decisionLog,
    now,
    ...(options.shadowPolicies && { policies: options.shadowPolicies }),
  });
  const pipeline = createPipeline({
    identity: sources.identity.verifier,
    destination: sources.identity.destination,
    token: sources.tokens.verifier,
    tokenMode: config.token.mode,
    userToken: sources.tokens.user,
    revocations: sources.revocation.check,
    binding: config.token.binding,
    dpop: sources.tokens.dpop,
    transaction: sources.tokens.transaction,
    broker: sources.broker,
    resourceMetadata: config.token.resource_metadata,
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
  return {
    serves: { check, onDrop: (cause) => metrics.requestDropped(cause) },
    async reload() {
      await shadow?.reload();
    },
    stop() {
      shadow?.stop();
    },
    async flush() {
      await decisionLog?.close();
    },
  };
}

/** A user's token is in a header whose name need not sound like one. */
function userTokenHeader({ token: { user } }: Config): string[] {
  if (user === undefined) return [];
  const name = user.header.replaceAll('~', '~0').replaceAll('/', '~1');
  return [`/input/attributes/request/http/headers/${name}`];
}
