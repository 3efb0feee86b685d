import type { Feed, Hub } from './feed.js';
import type { HubReply, HubRequest, Port } from './port.js';

export interface ReplicaHubOptions {
  /** Milliseconds for an answer of a service; later it is refused, and whoever asked fails closed. Default 5 s. */
  readonly patience?: number;
  /** Milliseconds that a demand waits at most for what it asked for. Default 15 s. */
  readonly longestDemand?: number;
}

/** What is asked of the other process; with undefined, it is gone or has not answered in time. */
type Settle = (reply: HubReply | undefined) => void;

/** The hub of a process that fetches nothing: it holds what the process at the other end of the port tells it. */
export function createReplicaHub(
  port: Port<HubRequest, HubReply>,
  { patience = 5_000, longestDemand = 15_000 }: ReplicaHubOptions = {},
): Hub {
  const replicas = new Map<string, (state: unknown) => void>();
  const waiting = new Map<number, Settle>();
  let ids = 0;
  let gone = false;

  port.onMessage((reply) => {
    if (reply.kind === 'state') replicas.get(reply.name)?.(reply.state);
    else waiting.get(reply.id)?.(reply);
  });
  port.onClose(() => {
    gone = true;
    for (const settle of [...waiting.values()]) settle(undefined);
  });

  function request(make: (id: number) => HubRequest, milliseconds: number): Promise<HubReply | undefined> {
    if (gone) return Promise.resolve(undefined);
    const id = ++ids;
    return new Promise((resolve) => {
      const settle: Settle = (reply) => {
        clearTimeout(timer);
        waiting.delete(id);
        resolve(reply);
      };
      const timer = setTimeout(settle, milliseconds, undefined);
      timer.unref();
      waiting.set(id, settle);
      port.send(make(id));
    });
  }

  function replica<State>(name: string): Feed<State> {
    const listeners = new Set<(state: State) => void>();
    let latest: State | undefined;
    let demanded: Promise<void> | undefined;
    replicas.set(name, (state) => {
      latest = state as State;
      for (const listener of listeners) listener(latest);
    });
    port.send({ kind: 'follow', name });
    return {
      latest: () => latest,
      onChange(listener) {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
      // Whether it is time for another fetch is for the original to say.
      demand() {
        demanded ??= request((id) => ({ kind: 'demand', name, id }), longestDemand)
          .then(() => {})
          .finally(() => (demanded = undefined));
        return demanded;
      },
      start: () => request((id) => ({ kind: 'started', name, id }), longestDemand).then(() => {}),
      stop() {},
    };
  }

  return {
    feed: (name) => replica(name),
    service: <Question, Answer>(name: string) => {
      return async (question: Question) => {
        const reply = await request((id) => ({ kind: 'ask', name, id, question }), patience);
        if (reply?.kind === 'answer') return reply.answer as Answer;
        throw new Error(
          reply?.kind === 'failed' ? reply.message : `${name}: the supervisor is gone or does not answer`,
        );
      };
    },
  };
}
