import { Socket } from 'node:net';
import type { Port } from '../../feed/port.js';
import { createLineSink, type LineSink } from '../../telemetry/line-sink.js';
import { createLog, type Log } from '../../telemetry/log.js';
import type { DropCause } from '../../telemetry/metrics.js';
import { Failure } from '../failure.js';
import { collectAsServer } from '../heap.js';

import type { FromWorker, ToWorker } from './messages.js';
import type { Worker } from './worker.js';

/** The descriptor on which the supervisor reads what is to go to the decision log. */
const DECISIONS = 4;

/** Bytes that wait for the supervisor before events are dropped. */
const BUFFER = 16 * 1024 * 1024;

/**
 * Milliseconds that lines gather before they go, unless there are many: each write costs both processes, and a line by
 * itself more than half of what the decision did.
 */
const GATHER = 10;
/** Bytes of a write after which the next one waits for nothing. */
const MANY = 32 * 1024;

/** Milliseconds after which a worker whose supervisor is gone ends, whatever its calls do. */
const LONGEST_END = 5_000;

collectAsServer();
// After that, and not with the imports above: most of what a worker is comes with it.
const { startWorker } = await import('./worker.js');

const port: Port<FromWorker, ToWorker> & { readonly sockets: (listener: (socket: Socket) => void) => void } =
  {
    send(message) {
      if (process.connected) process.send!(message, undefined, undefined, () => {});
    },
    onMessage: (listener) => void process.on('message', (message: ToWorker) => listener(message)),
    onClose(listener) {
      if (process.connected) process.once('disconnect', listener);
      else listener();
    },
    sockets(listener) {
      process.on('message', (message: ToWorker, socket: unknown) => {
        // It is undefined where its peer was gone before it got here.
        if (message.to === 'connection') {
          if (socket instanceof Socket) listener(socket);
          else port.send({ from: 'closed' });
        }
      });
    },
  };

function decisionSink(onDrop: (cause: DropCause) => void): LineSink {
  const stream = new Socket({ fd: DECISIONS, readable: false, writable: true });
  // What it cannot write is told to whoever writes.
  stream.on('error', () => {});
  stream.unref();
  return createLineSink({
    to: (bytes, done) =>
      void stream.write(bytes, (error) => {
        if (error) done(error, 0);
        else if (bytes.length >= MANY) done(null, bytes.length);
        else setTimeout(done, GATHER, null, bytes.length);
      }),
    capacity: BUFFER,
    onDrop,
  });
}

/** After an exception that nobody caught nothing is certain: the supervisor starts another process. */
function endOnDefect(log: Log): void {
  const end = (error: unknown) => {
    log.fatal({ err: error }, 'a defect in Countersign; this worker ends here');
    process.exit(70);
  };
  process.on('uncaughtException', end);
  process.on('unhandledRejection', end);
}

/** Ends once, whoever asks for it first; a supervisor that goes away while it drains leaves nothing to wait for. */
function endWhenAsked(starting: Promise<Worker>, log: Log, grace: number): void {
  let ending = false;
  const end = () => {
    if (ending) return;
    ending = true;
    void starting.then((worker) => worker.stop()).finally(exitWhenSaid);
  };
  port.onMessage((message) => {
    if (message.to === 'stop') end();
  });
  // From a terminal these go to every process of the group; it is for the supervisor to tell what they mean.
  process.on('SIGINT', () => {});
  process.on('SIGHUP', () => {});
  process.on('SIGTERM', end);
  port.onClose(() => {
    if (ending) process.exit(0);
    log.warn('the supervisor is gone; this worker finishes its calls and ends');
    setTimeout(() => process.exit(0), grace + LONGEST_END).unref();
    end();
  });
}

/** What was sent before has gone when this has. */
function exitWhenSaid(): void {
  if (!process.connected) process.exit(0);
  process.send!({ from: 'leaving' } satisfies FromWorker, undefined, undefined, () => process.exit(0));
}

process.once('message', (message: ToWorker) => {
  if (message.to !== 'start') throw new Error('a worker is told first what to do');
  const { config, worker } = message;
  const log = createLog(config.log.level).child({ worker });
  endOnDefect(log);
  const starting = startWorker(config, {
    log,
    port,
    onConnection: port.sockets,
    decisions: decisionSink,
  });
  starting.catch((error: Error) => {
    log.fatal(error instanceof Failure ? { error: error.message } : { err: error }, 'cannot start');
    process.exit(1);
  });
  endWhenAsked(starting, log, config.shutdown_grace);
});
port.send({ from: 'up' });
