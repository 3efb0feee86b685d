import { Counter, Histogram, type Registry } from 'prom-client';

/** What is counted of policies that change, and of the one that only looks on. */
export interface PolicyMetrics {
  /** A change is in force. */
  loaded(milliseconds: number): void;
  /** A change is not. `code` is one of a closed list. */
  refused(bundle: string, code: string): void;
  /** A service was asked for a bundle. */
  requested(bundle: string, result: 'updated' | 'unchanged' | 'failed'): void;
  shadow(result: ShadowOutcome): void;
}

/**
 * `different`: both allow or both deny, with other words; `error`: the shadow policy came to no answer; `dropped`: it
 * was not asked, since it was behind.
 */
export const SHADOW_OUTCOMES = [
  'same',
  'different',
  'allow_to_deny',
  'deny_to_allow',
  'error',
  'dropped',
] as const;
export type ShadowOutcome = (typeof SHADOW_OUTCOMES)[number];

/** Seconds: from data alone to a large policy that is compiled on a busy machine. */
const BUCKETS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export function createPolicyMetrics(registers: Registry[]): PolicyMetrics {
  const reloads = new Counter({
    name: 'countersign_policy_reload_total',
    help: 'Changes of the policy that were seen, by what became of them.',
    labelNames: ['result'],
    registers,
  });
  for (const result of ['loaded', 'refused']) reloads.inc({ result }, 0);
  const duration = new Histogram({
    name: 'countersign_policy_reload_duration_seconds',
    help: 'Time that a change took to be compiled and loaded.',
    buckets: BUCKETS,
    registers,
  });
  const refusals = new Counter({
    name: 'countersign_bundle_refused_total',
    help: 'Bundles, folders and files that were not taken, by code.',
    labelNames: ['bundle', 'code'],
    registers,
  });
  const requests = new Counter({
    name: 'countersign_bundle_requests_total',
    help: 'Requests to a service for a bundle.',
    labelNames: ['bundle', 'result'],
    registers,
  });
  const shadow = new Counter({
    name: 'countersign_shadow_decisions_total',
    help: 'What the shadow policy would have changed.',
    labelNames: ['result'],
    registers,
  });
  for (const result of SHADOW_OUTCOMES) shadow.inc({ result }, 0);

  return {
    loaded(milliseconds) {
      reloads.inc({ result: 'loaded' });
      duration.observe(milliseconds / 1000);
    },
    refused(bundle, code) {
      reloads.inc({ result: 'refused' });
      refusals.inc({ bundle, code });
    },
    requested: (bundle, result) => requests.inc({ bundle, result }),
    shadow: (result) => shadow.inc({ result }),
  };
}
