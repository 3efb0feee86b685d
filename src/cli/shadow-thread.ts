import { Worker } from 'node:worker_threads';
import { isRefusal, refuse, type Refusal } from '../errors/refusal.js';
import { stringifyExact } from '../json/exact.js';
import type { ShadowAnswer } from '../telemetry/shadow.js';
import type { PreparedPolicy } from './policy-loader.js';
import type { ShadowReply, ShadowRequest } from './shadow-messages.js';

/** Milliseconds for one evaluation, and for loading: what takes longer is taken to hang, and is ended. */
const EVALUATION = 1_000;
const LOADING = 60_000;

/** Milliseconds after an end before another start: one that always hangs must not do nothing else. */
const PAUSE = 5_000;

/** Megabytes of JavaScript's own; Wasm memory has its bound in the evaluator. */
const MOST_MEMORY = 512;

/** A policy that is evaluated in a thread of its own, and may hang or die there. */
export interface ShadowThread {
  /** Rejects with nothing: a policy that is not taken is a refusal. */
  load(prepared: PreparedPolicy, entrypoints: readonly string[]): Promise<Refusal | undefined>;
  /** @returns undefined while nothing is loaded */
  evaluate(entrypoint: string, input: string, now: number): Promise<ShadowAnswer | undefined>;
  stop(): void;
}

type Body = ShadowRequest extends infer R ? (R extends ShadowRequest ? Omit<R, 'id'> : never) : never;
type LoadBody = Extract<Body, { kind: 'load' }>;

export function createShadowThread(rewrite: boolean): ShadowThread {
  let worker: Worker | undefined;
  let loaded: LoadBody | undefined;
  let restartAt = 0;
  let ids = 0;
  const pending = new Map<number, (reply: ShadowReply | undefined) => void>();

  function end(): void {
    void worker?.terminate();
    worker = undefined;
    restartAt = performance.now() + PAUSE;
    for (const settle of pending.values()) settle(undefined);
    pending.clear();
  }

  function start(): Worker {
    const started = new Worker(new URL('./shadow-worker.js', import.meta.url), {
      resourceLimits: { maxOldGenerationSizeMb: MOST_MEMORY },
      env: {},
    });
    started.unref();
    started.on('message', (reply: ShadowReply) => {
      pending.get(reply.id)?.(reply);
      pending.delete(reply.id);
    });
    const gone = () => {
      if (worker === started) end();
    };
    started.on('error', gone);
    started.on('exit', gone);
    return started;
  }

  /** Undefined when the thread died or was ended over it. */
  function ask(body: Body, milliseconds: number): Promise<ShadowReply | undefined> {
    const id = ++ids;
    worker ??= start();
    const asked = worker;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        if (worker === asked) end();
      }, milliseconds);
      timer.unref();
      pending.set(id, (reply) => {
        clearTimeout(timer);
        resolve(reply);
      });
      asked.postMessage({ ...body, id });
    });
  }

  async function load(body: LoadBody): Promise<Refusal | undefined> {
    const reply = await ask(body, LOADING);
    if (reply === undefined)
      return refuse('policy_unavailable', 'the thread of the shadow policy ended while loading');
    return reply.refused && refuse(reply.refused.code, reply.refused.detail);
  }

  return {
    async load(prepared, entrypoints) {
      const { data, ...rest } = prepared;
      const body: LoadBody = {
        kind: 'load',
        prepared: { ...rest, data: stringifyExact(data) },
        entrypoints,
        rewrite,
      };
      const refusal = await load(body);
      if (refusal === undefined) loaded = body;
      return refusal;
    },
    async evaluate(entrypoint, input, now) {
      if (loaded === undefined) return undefined;
      if (worker === undefined) {
        if (performance.now() < restartAt || isRefusal(await load(loaded))) return undefined;
      }
      const started = performance.now();
      const reply = await ask({ kind: 'evaluate', entrypoint, input, now }, EVALUATION);
      if (reply !== undefined) return reply.answer;
      const { revision, bundles } = loaded.prepared;
      const detail = 'it hung, or its thread ended';
      return { revision, bundles, code: 'policy_error', detail, milliseconds: performance.now() - started };
    },
    stop() {
      loaded = undefined;
      end();
    },
  };
}
