import type { Revocation } from './types.js';

/** What a store tells of: what is in it, and how it is. */
export interface StoreSink {
  put(entries: Iterable<Revocation>): void;
  remove(ids: Iterable<string>): void;
  /** These are all that there are. */
  replace(entries: ReadonlyMap<string, Revocation>): void;
  /** What this process holds of the store's entries. */
  known(): Iterable<Revocation>;
  /** It answered. */
  reached(): void;
  /** It does not; others may have been told of revocations that this process knows nothing of. */
  /** @param since milliseconds since the epoch: when it last did */
  lost(error: string, since: number): void;
  /** It answers, but could not keep what it was given; undefined when it can again. */
  failing(error: string | undefined): void;
}

/** Where entries that a running server is told are kept, so that they outlive it and others hear of them. */
export interface RevocationStore {
  /**
   * Reads what is there, and tells the sink of it and of all that follows. Resolves when that is done once, or when
   * it turned out that it has to be waited for.
   *
   * @throws Error for what the operator has to mend before anything can start
   */
  start(sink: StoreSink): Promise<void>;
  /**
   * Keeps an entry: it has reached the disk, or the shared store, when this resolves.
   *
   * @returns as it stands now, with what was there before
   * @throws StoreError
   */
  add(entry: Revocation): Promise<Revocation>;
  /**
   * @returns whether it was there
   * @throws StoreError
   */
  lift(id: string): Promise<boolean>;
  stop(): Promise<void>;
}

export type StoreErrorCode = 'store_unavailable' | 'list_full';

export class StoreError extends Error {
  override readonly name = 'StoreError';
  constructor(
    readonly code: StoreErrorCode,
    message: string,
  ) {
    super(message);
  }
}
