/**
 * Something that is fetched in the background: keys, a trust bundle, a list of what was revoked. A feed holds
 * the newest state as plain data (whatever `structuredClone` takes, nothing that was parsed), so that one process
 * can fetch it and others hold it; what is made of it – keys, bundles – each of them makes for itself.
 */
export interface Feed<State> {
  /** The newest state: the same object until it changes; undefined before there is any. */
  latest(): State | undefined;
  /**
   * Calls `listener` after each change, once {@link latest} gives the new state.
   *
   * @returns what ends that
   */
  onChange(listener: (state: State) => void): () => void;
  /** Asks for something newer than what is here, as often as the feed itself allows. Never rejects. */
  demand(): Promise<void>;
  /** Fetches for the first time, and from then on in the background, until {@link stop}. Never rejects. */
  start(): Promise<void>;
  stop(): void;
}

/**
 * Where the things live that all workers share. Whoever wires a source asks the hub for it by a name that is
 * its own: in the process that fetches, the hub makes the real one; in a worker, a replica of it.
 */
export interface Hub {
  feed<State>(name: string, make: () => Feed<State>): Feed<State>;
  /**
   * A question that has to be answered in one place, as "was this jti seen before?" does. Questions and answers
   * are plain data. The returned function rejects only when the other process is gone: fail closed then.
   */
  service<Question, Answer>(
    name: string,
    make: () => (question: Question) => Answer | Promise<Answer>,
  ): (question: Question) => Answer | Promise<Answer>;
}

/** One process is everything: what is asked for is made here. */
export const localHub: Hub = {
  feed: (_, make) => make(),
  service: (_, make) => make(),
};
