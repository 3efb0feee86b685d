import { mayNeverEnd } from '../policy/never-ending.js';
import type { PolicyEvent } from '../policy/source.js';
import type { Log } from '../telemetry/log.js';
import type { PolicyMetrics } from '../telemetry/policy-metrics.js';
import type { PoliciesOptions } from './policy-source.js';

/**
 * Counts and tells what becomes of changes. One that is refused in the same way again and again, as that of a service
 * which is away, is told once.
 *
 * @param what is said of: `policy`, or `shadow policy`
 */
export function policyEvents(
  what: string,
  log: Log,
  metrics: PolicyMetrics,
): Pick<PoliciesOptions, 'onEvent' | 'onRequest' | 'onStoreFailure'> {
  const told = new Map<string, string>();
  return {
    onEvent(event) {
      tell(what, event, log, metrics, told);
    },
    onRequest: (name, result) => metrics.requested(name, result),
    onStoreFailure: (name, error) =>
      log.error({ bundle: name, error: error.message }, 'the bundle could not be kept for a restart'),
  };
}

function tell(
  what: string,
  event: PolicyEvent,
  log: Log,
  metrics: PolicyMetrics,
  told: Map<string, string>,
): void {
  if (event.kind === 'loaded') {
    const { policy, name, milliseconds, contents } = event;
    metrics.loaded(milliseconds);
    told.delete(name);
    log.info({ bundle: name, revision: policy.revision, milliseconds }, `${what} loaded`);
    for (const [bundle, { wasm }] of contents)
      if (wasm !== undefined && mayNeverEnd(wasm))
        log.warn(
          { bundle },
          'replace never ends in Wasm of opa build where the text to look for is empty: leave policy.wasm out of the bundle, or build it with countersign build',
        );
    return;
  }
  const { name, refusal } = event;
  metrics.refused(name, refusal.code);
  if (told.get(name) === refusal.detail) return;
  told.set(name, refusal.detail);
  log.error(
    { bundle: name, code: refusal.code, error: refusal.detail },
    `${what} refused; the last good one stays in force`,
  );
}
