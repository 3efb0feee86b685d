import { createReplayMemory, remoteGuard, type ReplayGuard } from '../../jws/replay.js';
import type { PartOptions } from './part.js';

/** What is remembered at once: at the 5,000 proofs a second that a core can verify, three minutes of them. */
const CAPACITY = 1_000_000;

/**
 * Which proofs were used, DPoP's and WIMSE's, in one memory for all workers.
 *
 * @param shared takes its place where replicas share a store, which outlives them
 */
export function startReplay(
  { hub, now }: Pick<PartOptions, 'hub' | 'now'>,
  shared?: ReplayGuard,
): ReplayGuard {
  return remoteGuard(
    hub.service('used proofs', () => {
      const guard = shared ?? createReplayMemory({ capacity: CAPACITY, now });
      // A memory begins with its first question: so that it does not begin in the middle of somebody's.
      void guard.claim({ id: 'start', madeAt: now(), expiresAt: now() });
      return (use) => guard.claim(use);
    }),
  );
}
