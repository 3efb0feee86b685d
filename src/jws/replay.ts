/** A proof that may be used once: DPoP (RFC 9449 section 4.2), a WIMSE proof token. */
export interface Use {
  /**
   * What tells this proof from all others, the same for every worker and replica: a digest of its kind, its key
   * and its `jti`. Whoever chose the `jti` must not choose how long this is.
   */
  readonly id: string;
  /** The earliest that the proof can have been made: what was used before a memory began, it cannot know. */
  readonly madeAt: number;
  /** From when on the proof is refused for its age, and need be remembered no longer. */
  readonly expiresAt: number;
}

/**
 * - `fresh`: not used before; it is now
 * - `replayed`: used before
 * - `unknown`: it can have been made, and used, before this memory began
 * - `unavailable`: there is no room left, or nobody who can tell
 *
 * All but `fresh` have to be refused. Who made an `unknown` one can make another.
 */
export type Claim = 'fresh' | 'replayed' | 'unknown' | 'unavailable';

/**
 * Remembers proofs for as long as they could be used again. Ask it last, once all else of a proof was found to be
 * good: then only who holds the key can fill it. Times are milliseconds since the epoch. Never throws or rejects.
 */
export interface ReplayGuard {
  claim(use: Use): Claim | Promise<Claim>;
}

export interface ReplayMemoryOptions {
  /** The most that is remembered at once, at about 100 bytes each. */
  readonly capacity: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/**
 * A guard in this process's memory. At its bound it fails closed: forgetting the oldest would let exactly those be
 * used again. It begins empty, so that what was made before it began is `unknown`; a clock that is set back makes
 * nothing fresh that was used.
 */
export function createReplayMemory({ capacity, now }: ReplayMemoryOptions): ReplayGuard {
  const began = now();
  // In the order of their arrival, which is nearly that of their expiry: one that expires late holds up the
  // sweep of those behind it for no longer than it lives itself.
  const used = new Map<string, number>();

  function sweep(at: number): void {
    for (const [id, expiresAt] of used) {
      if (expiresAt > at) return;
      used.delete(id);
    }
  }

  return {
    claim({ id, madeAt, expiresAt }) {
      if (used.has(id)) return 'replayed';
      if (!(madeAt >= began)) return 'unknown';
      sweep(now());
      if (used.size >= capacity) return 'unavailable';
      used.set(id, expiresAt);
      return 'fresh';
    },
  };
}

/** A guard behind a question that others answer, in another process perhaps: who is not there vouches for nothing. */
export function remoteGuard(ask: (use: Use) => Claim | Promise<Claim>): ReplayGuard {
  return {
    claim(use) {
      const claim = ask(use);
      return claim instanceof Promise ? claim.catch(() => 'unavailable' as const) : claim;
    },
  };
}
