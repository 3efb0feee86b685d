import type { Feed } from './feed.js';

/** A feed whose state is set from where it is made, instead of being fetched. */
export interface Cell<State> extends Feed<State> {
  set(state: State): void;
}

/**
 * @param start what has to be done before there is a first state; it must not reject
 */
export function createCell<State>(initial?: State, start: () => Promise<void> = async () => {}): Cell<State> {
  const listeners = new Set<(state: State) => void>();
  let latest = initial;
  return {
    latest: () => latest,
    set(state) {
      latest = state;
      for (const listener of listeners) listener(state);
    },
    onChange(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    demand: async () => {},
    start,
    stop() {},
  };
}
