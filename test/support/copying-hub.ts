import { deserialize, serialize } from 'node:v8';
import { localHub, type Feed, type Hub } from '../../src/feed/feed.js';

/** A hub whose feeds are held as another process holds them: each state is a copy, and no two are the same object. */
export const copyingHub: Hub = {
  ...localHub,
  feed<State>(_: string, make: () => Feed<State>): Feed<State> {
    const feed = make();
    const copy = (state: State) => deserialize(serialize(state)) as State;
    return {
      ...feed,
      latest: () => copy(feed.latest()!),
      onChange: (listener) => feed.onChange((state) => listener(copy(state))),
    };
  },
};
