import { fork, type ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Port } from '../../feed/port.js';
import type { Taker } from '../../server/handover.js';
import type { WorkerProcess } from '../../server/worker-pool.js';
import type { FromWorker, ToWorker } from './messages.js';

const MAIN = fileURLToPath(new URL('./worker-main.js', import.meta.url));

/** A worker of ours, with the connections that it was given. */
export interface OurWorker extends WorkerProcess<ToWorker>, Taker, Port<ToWorker, FromWorker> {
  /** Resolves once the message has left, or is lost. */
  sendAndWait(message: ToWorker): Promise<void>;
  /** What it writes for the decision log, and of its own. */
  readonly decisions: Readable;
  readonly errors: Readable;
}

export function forkWorker(worker: number): OurWorker {
  const child = fork(MAIN, [`worker-${worker}`], {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc', 'pipe'],
  });
  // Told by what follows: it exits, or never was.
  child.on('error', () => {});
  let connections = 0;
  child.on('message', (message: FromWorker) => {
    if (message.from === 'closed') connections--;
  });

  function send(message: ToWorker, socket?: Socket): Promise<void> {
    return new Promise((resolve) => {
      if (!child.connected) {
        socket?.destroy();
        return resolve();
      }
      child.send(message, socket, undefined, () => resolve());
    });
  }

  return {
    pid: child.pid,
    get connections() {
      return connections;
    },
    give(socket) {
      connections++;
      void send({ to: 'connection' }, socket);
    },
    send: (message) => void send(message),
    sendAndWait: (message) => send(message),
    onMessage: (listener) => void child.on('message', listener),
    onClose: (listener) => void child.once('exit', listener),
    kill: (signal) => void child.kill(signal),
    onExit(listener) {
      ended(child, listener);
    },
    decisions: child.stdio[4] as Readable,
    errors: child.stderr!,
  };
}

function ended(child: ChildProcess, listener: (how: string) => void): void {
  let told = false;
  const tell = (how: string) => {
    if (told) return;
    told = true;
    listener(how);
  };
  child.once('exit', (code, signal) => tell(signal ?? `exit code ${code}`));
  child.once('error', (error: NodeJS.ErrnoException) => {
    if (child.pid === undefined) tell(`it cannot be started (${error.code})`);
  });
}
