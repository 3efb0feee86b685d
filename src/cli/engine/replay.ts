import { createReplayMemory, remoteGuard, type ReplayGuard } from '../../jws/replay.js';
import type { PartOptions } from './part.js';

/** What is remembered at once: at the 5,000 proofs a second that a core can verify, three minutes of them. */
const CAPACITY = 1_000_000;

/**
 * Which proofs were used, in one memory for all workers.
 *
 * @param name of the memory; each kind of proof that has one of its own needs one
 * @param shared takes its place where replicas share a store, which outlives them
 */
export function startReplay(
  { hub, now }: Pick<PartOptions, 'hub' | 'now'>,
  shared?: ReplayGuard,
  name = 'used proofs',
): ReplayGuard {
  return remoteGuard(
    hub.service(name, () => {
      const guard = shared ?? createReplayMemory({ capacity: CAPACITY, now });
      return (use) => guard.claim(use);
    }),
  );
}
