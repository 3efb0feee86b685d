import { parentPort } from 'node:worker_threads';
import { isRefusal } from '../errors/refusal.js';
import { parseExact, stringifyExact } from '../json/exact.js';
import type { Policy } from '../policy/types.js';
import { loadPrepared } from './policy-source.js';
import type { ShadowReply, ShadowRequest } from './shadow-messages.js';

/** The thread of the shadow policy: whatever it does in there, decisions go on. */
let policy: Policy | undefined;

async function answer(request: ShadowRequest): Promise<ShadowReply> {
  if (request.kind === 'load') {
    const { prepared, entrypoints, rewrite } = request;
    const loaded = await loadPrepared(prepared, entrypoints, { allow_request_target_rewrite: rewrite });
    if (isRefusal(loaded)) return { refused: { code: loaded.code, detail: loaded.detail } };
    policy = loaded;
    return {};
  }
  if (policy === undefined) return {};
  const { revision, bundles = {} } = policy;
  const started = performance.now();
  const input = parseExact(request.input, { maxDepth: 1000 });
  const result = policy.evaluate(request.entrypoint, input, request.now);
  const milliseconds = performance.now() - started;
  const told = isRefusal(result)
    ? { code: result.code, detail: result.detail }
    : { result: stringifyExact(result) };
  return { answer: { revision, bundles, milliseconds, ...told } };
}

// Requests that come while a policy loads are answered by the one before.
parentPort!.on('message', ({ id, ...request }: ShadowRequest & { id: number }) => {
  void answer(request).then((reply) => parentPort!.postMessage({ ...reply, id }));
});
