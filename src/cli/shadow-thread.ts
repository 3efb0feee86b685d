import { isRefusal, refuse, type Refusal } from '../errors/refusal.js';
import { stringifyExact } from '../json/exact.js';
import type { ShadowAnswer } from '../telemetry/shadow.js';
import type { PreparedPolicy } from './policy-loader.js';
import type { ShadowReply, ShadowRequest } from './shadow-messages.js';
import { createThread } from './thread.js';

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

type LoadRequest = Extract<ShadowRequest, { kind: 'load' }>;

export function createShadowThread(rewrite: boolean): ShadowThread {
  let loaded: LoadRequest | undefined;
  let restartAt = 0;
  const thread = createThread<ShadowRequest, ShadowReply>({
    script: new URL('./shadow-worker.js', import.meta.url),
    maxMemory: MOST_MEMORY,
    onEnd: () => (restartAt = performance.now() + PAUSE),
  });

  async function load(request: LoadRequest): Promise<Refusal | undefined> {
    const reply = await thread.ask(request, LOADING);
    if (isRefusal(reply))
      return refuse(
        'policy_unavailable',
        `the thread of the shadow policy ended while loading (${reply.detail})`,
      );
    return reply.refused && refuse(reply.refused.code, reply.refused.detail);
  }

  return {
    async load(prepared, entrypoints) {
      const { data, ...rest } = prepared;
      const text = data instanceof Uint8Array ? data : Buffer.from(stringifyExact(data));
      const request: LoadRequest = { kind: 'load', prepared: { ...rest, data: text }, entrypoints, rewrite };
      const refusal = await load(request);
      if (refusal === undefined) loaded = request;
      return refusal;
    },
    async evaluate(entrypoint, input, now) {
      if (loaded === undefined) return undefined;
      if (!thread.running()) {
        if (performance.now() < restartAt || isRefusal(await load(loaded))) return undefined;
      }
      const started = performance.now();
      const reply = await thread.ask({ kind: 'evaluate', entrypoint, input, now }, EVALUATION);
      if (!isRefusal(reply)) return reply.answer;
      const { revision, bundles } = loaded.prepared;
      const detail = 'it hung, or its thread ended';
      return { revision, bundles, code: 'policy_error', detail, milliseconds: performance.now() - started };
    },
    stop() {
      loaded = undefined;
      thread.end();
    },
  };
}
