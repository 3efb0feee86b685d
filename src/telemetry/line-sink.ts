import { constants, openSync, write } from 'node:fs';
import type { DropCause } from './metrics.js';

/** Where lines go that must never be waited for. */
export interface LineSink {
  /** Takes whole lines, each with its line feed. What cannot be kept is dropped and counted. */
  write(line: string): void;
  /** Resolves once everything was written, or `milliseconds` have gone by: then the rest is dropped. */
  close(milliseconds: number): Promise<void>;
}

/** Writes bytes, or as many of them as it can. */
export type Put = (
  bytes: Buffer,
  done: (error: NodeJS.ErrnoException | null | undefined, written: number) => void,
) => void;

export interface LineSinkOptions {
  /** A descriptor, or what writes. */
  readonly to: number | Put;
  /** Bytes that may wait for a slow reader. */
  readonly capacity: number;
  readonly onDrop: (cause: DropCause) => void;
}

/** Milliseconds until a reader that took nothing is tried again: at first, and after many times. */
const FIRST_RETRY = 1;
const LAST_RETRY = 50;

/** UTF-16 code units that go into one write. */
const BATCH = 64 * 1024;

/**
 * Lines to a file descriptor, in the background. It is our own because pino's destination, sonic-boom, tries
 * again for ever where nothing can be written (a full disk, a reader that stopped), also in a process that is
 * about to end, and writes empty chunks without pause once it is destroyed under way.
 */
export function createLineSink({ to, capacity, onDrop }: LineSinkOptions): LineSink {
  const attempt: Put = typeof to === 'number' ? (bytes, done) => write(to, bytes, done) : to;
  let lines: string[] = [];
  let waiting = 0;
  let underWay = 0;
  let writing = false;
  let gone = false;
  let emptied: (() => void) | undefined;

  function next(): void {
    if (lines.length === 0) {
      writing = false;
      emptied?.();
      return;
    }
    writing = true;
    let count = 1;
    for (let size = lines[0]!.length; count < lines.length && size < BATCH; count++)
      size += lines[count]!.length;
    const batch = lines.splice(0, count);
    const bytes = Buffer.from(count === 1 ? batch[0]! : batch.join(''));
    underWay = bytes.length;
    waiting -= bytes.length;
    put(bytes, count);
  }

  function put(bytes: Buffer, count: number): void {
    writeWhole(
      attempt,
      bytes,
      () => gone,
      (error) => {
        if (error) {
          // Nobody will ever read again; anything else may pass.
          gone ||= error.code === 'EPIPE';
          for (let i = 0; i < count; i++) onDrop('failure');
        }
        underWay = 0;
        next();
      },
    );
  }

  return {
    write(line) {
      const size = Buffer.byteLength(line);
      if (gone) onDrop('failure');
      else if (waiting + underWay + size > capacity) onDrop('backpressure');
      else {
        lines.push(line);
        waiting += size;
        if (!writing) next();
      }
    },
    async close(milliseconds) {
      if (writing) {
        let timer: NodeJS.Timeout | undefined;
        await Promise.race([
          new Promise<void>((resolve) => (emptied = resolve)),
          new Promise<void>((resolve) => (timer = setTimeout(resolve, milliseconds))),
        ]);
        clearTimeout(timer);
      }
      gone = true;
      lines = [];
    },
  };
}

/** Writes all of it, trying again where the reader is slow, until `given up` or an error. */
export function writeWhole(
  put: Put,
  bytes: Buffer,
  givenUp: () => boolean,
  done: (error: NodeJS.ErrnoException | undefined) => void,
  retry = FIRST_RETRY,
): void {
  put(bytes, (error, written) => {
    if (error?.code === 'EAGAIN' && !givenUp()) {
      const later = () => writeWhole(put, bytes, givenUp, done, Math.min(retry * 2, LAST_RETRY));
      setTimeout(later, retry).unref();
    } else if (!error && written < bytes.length) writeWhole(put, bytes.subarray(written), givenUp, done);
    else done(error ?? undefined);
  });
}

/**
 * Standard output as a descriptor that a write does not block on: a thread that is stuck in one keeps the
 * process from ending (libuv joins its threads). A socket cannot be opened anew, and its writes may block.
 */
export function standardOutput(): number {
  try {
    return openSync('/proc/self/fd/1', constants.O_WRONLY | constants.O_NONBLOCK | constants.O_APPEND);
  } catch {
    return 1;
  }
}
