import { createServer, type Socket } from 'node:net';
import { listenOn, type ListenOptions } from './listener.js';

/** Somebody that serves connections. */
export interface Taker {
  /** Connections that it has been given and that are not over. */
  readonly connections: number;
  give(socket: Socket): void;
}

export interface HandoverOptions extends ListenOptions {
  /** Those that take connections now. */
  readonly takers: () => readonly Taker[];
}

export interface Handover {
  /** Where it listens, the port that was picked included. */
  readonly address: string;
  /** Somebody takes connections again: those that wait go there. */
  settle(): void;
  /** Accepts nothing more. */
  close(): void;
}

/** Connections that wait while nobody takes any. Envoy has a few; beyond this they are turned away. */
const MOST_WAITING = 1024;

/**
 * Listens, and gives each connection to whoever has the fewest, and of those to whoever waits the
 * longest for another: Envoy has few connections, and they last, so that taking turns alone would leave them where a
 * death or chance has put them. It reads nothing of them.
 *
 * @throws Error that names the key to mend, when the address cannot be bound
 */
export async function startHandover({ takers, ...listen }: HandoverOptions): Promise<Handover> {
  let waiting: Socket[] = [];
  // Paused: what it brings is for its taker to read.
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    if (give(socket)) return;
    if (waiting.length >= MOST_WAITING) return void socket.destroy();
    waiting.push(socket);
  });

  /** When each taker was given its last. */
  const turns = new WeakMap<Taker, number>();
  let turn = 0;

  function before(a: Taker, b: Taker): boolean {
    if (a.connections !== b.connections) return a.connections < b.connections;
    return (turns.get(a) ?? 0) < (turns.get(b) ?? 0);
  }

  function give(socket: Socket): boolean {
    let next: Taker | undefined;
    for (const taker of takers()) if (next === undefined || before(taker, next)) next = taker;
    if (next === undefined) return false;
    turns.set(next, ++turn);
    next.give(socket);
    return true;
  }

  const bound = await listenOn(server, listen);
  return {
    address: bound,
    settle() {
      const sockets = waiting;
      waiting = [];
      for (const socket of sockets) if (!give(socket)) waiting.push(socket);
    },
    close() {
      server.close();
      for (const socket of waiting.splice(0)) socket.destroy();
    },
  };
}
