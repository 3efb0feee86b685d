import type { ReplayGuard } from '../jws/replay.js';
import type { ValkeyLink } from './link.js';
import { CLAIM } from './scripts.js';

export interface StoreReplayGuardOptions {
  readonly link: ValkeyLink;
  /** The same for all replicas that share the store. */
  readonly prefix: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** Milliseconds that a request may be held up: then it is refused, which is what happens without a store as well. */
const PATIENCE = 500;

/**
 * A guard for all replicas that share a store: a proof that one of them took is `replayed` at every other one. Where
 * the store does not answer, or has no room, nothing is fresh. A store that lost what it held knows that, and takes for
 * `unknown` what was made before.
 */
export function createStoreReplayGuard({ link, prefix, now }: StoreReplayGuardOptions): ReplayGuard {
  const since = `{${prefix}}:proofs:since`;
  return {
    async claim({ id, madeAt, expiresAt }) {
      // One millisecond more than its life, in whole ones: the store's clock is another.
      const life = Math.max(1, Math.ceil(expiresAt - now()) + 1);
      if (!Number.isSafeInteger(life) || !Number.isFinite(madeAt)) return 'unavailable';
      try {
        const said = await link.ask(
          (client) =>
            client.eval(CLAIM, {
              keys: [`{${prefix}}:proof:${id}`, since],
              arguments: [String(life), String(Math.floor(madeAt))],
            }),
          PATIENCE,
        );
        return said === 'fresh' || said === 'replayed' || said === 'unknown' ? said : 'unavailable';
      } catch {
        return 'unavailable';
      }
    },
  };
}
