import { Worker, type TransferListItem } from 'node:worker_threads';
import { refuse, type Refusal } from '../errors/refusal.js';
import { remainAsServer } from './heap.js';

export interface ThreadOptions {
  /** A module that answers every message `{id, …}` with one of the same `id`. */
  readonly script: URL;
  /** Megabytes of JavaScript's own heap; Wasm memory and buffers are not among them. */
  readonly maxMemory: number;
  /** Milliseconds without a question after which it is ended, and its memory given back. Default: never. */
  readonly idle?: number;
  /** It has ended: by itself, over a question that took too long, idle, or because it was told to. */
  readonly onEnd?: () => void;
}

/** A thread that is started by the first question, and again by the first one after its end. */
export interface Thread<Question extends object, Answer extends object> {
  /**
   * Never rejects. Where the thread dies, or takes longer than `milliseconds`, so that it is ended, the refusal says
   * why: of an error no more than its code, since its message may quote anything.
   */
  ask(
    question: Question,
    milliseconds: number,
    transfer?: readonly TransferListItem[],
  ): Promise<Answer | Refusal<'thread_ended'>>;
  running(): boolean;
  end(): void;
}

/** Work that may take long, hang, or run out of memory, where nothing else suffers for it. */
export function createThread<Question extends object, Answer extends object>(
  options: ThreadOptions,
): Thread<Question, Answer> {
  let worker: Worker | undefined;
  let ids = 0;
  let idle: NodeJS.Timeout | undefined;
  const pending = new Map<number, (answer: Answer | Refusal<'thread_ended'>) => void>();

  function end(why: string): void {
    clearTimeout(idle);
    void worker?.terminate();
    worker = undefined;
    const refusal = refuse('thread_ended', why);
    const waiting = [...pending.values()];
    pending.clear();
    options.onEnd?.();
    for (const settle of waiting) settle(refusal);
  }

  function rest(): void {
    // Only a question that is asked keeps the process up.
    worker?.unref();
    if (options.idle === undefined) return;
    idle = setTimeout(() => end('nothing to do'), options.idle);
    idle.unref();
  }

  function start(): Worker {
    const started = new Worker(options.script, {
      resourceLimits: { maxOldGenerationSizeMb: options.maxMemory },
    });
    remainAsServer(started);
    started.on('message', ({ id, ...answer }: Answer & { readonly id: number }) => {
      const settle = pending.get(id);
      pending.delete(id);
      if (pending.size === 0) rest();
      settle?.(answer as unknown as Answer);
    });
    started.on('error', (error: NodeJS.ErrnoException) => {
      if (worker === started) end(error.code ?? error.name);
    });
    started.on('exit', (code) => {
      if (worker === started) end(`exit ${code}`);
    });
    return started;
  }

  return {
    ask(question, milliseconds, transfer = []) {
      const id = ++ids;
      clearTimeout(idle);
      const asked = (worker ??= start());
      asked.ref();
      return new Promise((resolve) => {
        const timer = setTimeout(() => {
          if (worker === asked) end(`it took longer than ${milliseconds} ms`);
        }, milliseconds);
        timer.unref();
        pending.set(id, (answer) => {
          clearTimeout(timer);
          resolve(answer);
        });
        asked.postMessage({ ...question, id }, transfer);
      });
    },
    running: () => worker !== undefined,
    end: () => end('it was ended'),
  };
}
