import type { Feed, Hub } from './feed.js';

/** A hub that hands out one feed to all who ask for the same name. Whoever stops it first stops it for all. */
export function shareFeeds(hub: Hub): Hub {
  const feeds = new Map<string, unknown>();
  return {
    service: (name, make) => hub.service(name, make),
    feed<State>(name: string, make: () => Feed<State>) {
      // The name says what the state is.
      const feed = (feeds.get(name) as Feed<State> | undefined) ?? hub.feed(name, make);
      feeds.set(name, feed);
      return feed;
    },
  };
}
