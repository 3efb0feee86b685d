import type { Feed, Hub } from './feed.js';
import type { HubReply, HubRequest, Port } from './port.js';

/** The hub of the process that fetches and answers for others: what is asked for is made here. */
export interface PublishingHub extends Hub {
  /** Tells the holder at the other end all that it follows, and answers it, until it is gone. */
  attach(port: Port<HubReply, HubRequest>): void;
}

interface Original {
  readonly feed: Feed<unknown>;
  /** That of the first start; undefined before it. */
  started?: Promise<void>;
}

/** One holder of replicas, and the state of each feed that it was told last. */
interface Follower {
  readonly port: Port<HubReply, HubRequest>;
  readonly told: Map<string, unknown>;
}

export function createPublishingHub(): PublishingHub {
  const originals = new Map<string, Original>();
  const services = new Map<string, (question: unknown) => unknown>();
  const followers = new Set<Follower>();

  function tell({ port, told }: Follower, name: string): void {
    const state = originals.get(name)?.feed.latest();
    if (state === undefined || !told.has(name) || told.get(name) === state) return;
    told.set(name, state);
    port.send({ kind: 'state', name, state });
  }

  async function settle(
    follower: Follower,
    { name, id }: { readonly name: string; readonly id: number },
    waited: Promise<void> | undefined,
  ): Promise<void> {
    await waited;
    tell(follower, name);
    follower.port.send({ kind: 'done', id });
  }

  async function answer(
    { port }: Follower,
    { name, id, question }: Extract<HubRequest, { kind: 'ask' }>,
  ): Promise<void> {
    try {
      const service = services.get(name);
      if (service === undefined) throw new Error(`nobody answers to ${name}`);
      port.send({ kind: 'answer', id, answer: await service(question) });
    } catch (error) {
      port.send({ kind: 'failed', id, message: (error as Error).message });
    }
  }

  function take(follower: Follower, request: HubRequest): void {
    switch (request.kind) {
      case 'follow':
        follower.told.set(request.name, undefined);
        tell(follower, request.name);
        return;
      case 'started':
        void settle(follower, request, originals.get(request.name)?.started);
        return;
      case 'demand':
        void settle(follower, request, originals.get(request.name)?.feed.demand());
        return;
      case 'ask':
        void answer(follower, request);
    }
  }

  return {
    feed(name, make) {
      if (originals.has(name)) throw new Error(`two feeds are called ${name}`);
      const feed = make();
      const original: Original = { feed };
      originals.set(name, original);
      feed.onChange(() => {
        for (const follower of followers) tell(follower, name);
      });
      return {
        latest: () => feed.latest(),
        onChange: (listener) => feed.onChange(listener),
        demand: () => feed.demand(),
        start: () => (original.started = feed.start()),
        stop: () => feed.stop(),
      };
    },
    service(name, make) {
      if (services.has(name)) throw new Error(`two services are called ${name}`);
      const service = make();
      services.set(name, service as (question: unknown) => unknown);
      return service;
    },
    attach(port) {
      const follower: Follower = { port, told: new Map() };
      followers.add(follower);
      port.onMessage((request) => take(follower, request));
      port.onClose(() => followers.delete(follower));
    },
  };
}
