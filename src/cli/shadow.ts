import type { Config } from '../config/schema.js';
import { refuse } from '../errors/refusal.js';
import type { DecisionLog } from '../telemetry/decision-log.js';
import type { Log } from '../telemetry/log.js';
import type { PolicyMetrics } from '../telemetry/policy-metrics.js';
import { createShadow, type Shadow } from '../telemetry/shadow.js';
import { policyEvents } from './policy-events.js';
import { createShadowPolicies, type Policies, type PoliciesOptions } from './policy-source.js';
import { createShadowThread } from './shadow-thread.js';

/** A policy that is asked about decisions, and whose answers are counted and logged. */
export interface RunningShadow extends Shadow {
  reload(): Promise<void>;
  stop(): void;
}

/** Makes what keeps the shadow policy up to date; undefined where there is none. */
export type ShadowPoliciesMaker = (
  config: Config['policy'],
  options: PoliciesOptions,
) => Promise<Policies> | undefined;

/**
 * Starts what `policy.shadow` says; undefined where it says nothing. A shadow policy that cannot be loaded is told,
 * and stops nothing.
 *
 * @throws Failure for a key that cannot be used
 */
export async function startShadow(
  config: Config['policy'],
  {
    log,
    metrics,
    decisionLog,
    now,
    policies: make = createShadowPolicies,
  }: {
    readonly log: Log;
    readonly metrics: PolicyMetrics;
    readonly decisionLog: DecisionLog | undefined;
    readonly now: () => number;
    readonly policies?: ShadowPoliciesMaker;
  },
): Promise<RunningShadow | undefined> {
  if (config.shadow === undefined) return undefined;
  const thread = createShadowThread(config.allow_request_target_rewrite);
  const policies = (await make(config, {
    now,
    ...policyEvents('shadow policy', log, metrics),
    async load(prepared, entrypoints) {
      const refusal = await thread.load(prepared, entrypoints);
      if (refusal !== undefined) return refusal;
      const { revision, bundles } = prepared;
      const evaluate = () => refuse('policy_unavailable', 'it is asked in its own thread');
      return { revision, bundles, entrypoints, evaluate };
    },
  })) as Policies;
  // Its failures were told one by one.
  void policies.start().catch(() => {});
  const shadow = createShadow({
    share: config.shadow.share,
    entrypoint: config.shadow.entrypoint,
    evaluate: (entrypoint, input, at) => thread.evaluate(entrypoint, input, at),
    random: Math.random,
    onOutcome: (outcome) => metrics.shadow(outcome),
    onDifference: (difference) => decisionLog?.recordShadow(difference),
  });
  return {
    offer: (observation) => shadow.offer(observation),
    reload: () => policies.reload(),
    stop() {
      policies.stop();
      thread.stop();
    },
  };
}
