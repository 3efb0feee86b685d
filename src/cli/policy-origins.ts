import { stat } from 'node:fs/promises';
import type { BundleConfig, BundleServiceConfig } from '../config/schema.js';
import { isRefusal, refuse, type Refusal } from '../errors/refusal.js';
import type { OpenBundleOptions } from '../policy/bundle.js';
import { createBundlePoller } from '../policy/bundle-poller.js';
import type { Verification } from '../policy/signature.js';
import type { PartContent, PolicySource } from '../policy/source.js';
import { createWatch } from '../policy/watch.js';
import { bundleGetter } from './bundle-http.js';
import type { BundleStore } from './bundle-store.js';
import { fileHints, fingerprint } from './policy-files.js';
import type { PolicyWorkshop } from './policy-workshop.js';

/** Where one part of a policy comes from. */
export interface Origin {
  readonly name: string;
  /** `local` is a file or a folder, which an operator can mend at once. */
  readonly kind: 'local' | 'service';
  /** Looks for the first time, and from then on in the background. Never rejects. */
  start(): Promise<void>;
  /** Looks now, changed or not. Never rejects. */
  reload(): Promise<void>;
  stop(): void;
}

/** What happens between a request to a service and its answer, for whoever counts. */
export type RequestResult = 'updated' | 'unchanged' | 'failed';

export interface OriginOptions {
  readonly source: PolicySource;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly onRequest: (name: string, result: RequestResult) => void;
  /** A bundle could not be kept. */
  readonly onStoreFailure: (name: string, error: Error) => void;
}

/** Milliseconds until the compiler or the thread is asked again that came to no answer: memory was short, or it was killed. */
const ANOTHER_TRY = 10_000;

/** Milliseconds that a service has for its first answer before the bundle that was kept is taken. */
const PATIENCE = 5_000;

/** A folder or a bundle file, watched. */
export function localOrigin(
  name: string,
  path: string,
  read: () => Promise<PartContent | Refusal>,
  { source }: Pick<OriginOptions, 'source'>,
): Origin {
  let retry: NodeJS.Timeout | undefined;
  const watch = createWatch({
    fingerprint: () => fingerprint(path),
    hints: (onHint) => fileHints(path, onHint),
    changed: take,
  });

  async function take(): Promise<void> {
    clearTimeout(retry);
    const content = await read();
    let refusal: Refusal | undefined;
    if (isRefusal(content)) source.fail(name, (refusal = content));
    else refusal = await source.offer(name, content);
    if (refusal?.code === 'rego_compiler_failed' || refusal?.code === 'policy_thread_failed') {
      retry = setTimeout(() => void watch.force(), ANOTHER_TRY);
      retry.unref();
    }
  }

  return {
    name,
    kind: 'local',
    async start() {
      await watch.start();
      await take();
    },
    reload: () => watch.force(),
    stop() {
      clearTimeout(retry);
      watch.stop();
    },
  };
}

/** Reads `policy.path`, or that of a shadow: what is there may change from a folder to a file. */
export async function readPolicyPath<Content extends PartContent>(
  path: string,
  { folder, file }: PathReaders<Content>,
  maxBytes: number,
): Promise<Content | Refusal> {
  try {
    if ((await stat(path)).isDirectory()) return await folder(path);
  } catch (error) {
    return refuse('bundle_unreadable', `${path} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  // Without a signature there are no times to judge by.
  return file(path, { verification: 'none', maxBytes, now: 0 });
}

export interface PathReaders<Content extends PartContent> {
  folder(path: string): Promise<Content | Refusal>;
  file(path: string, options: OpenBundleOptions & { readonly maxBytes: number }): Promise<Content | Refusal>;
}

/** A bundle of a service, polled. Where the service does not answer at first, the bundle that was kept serves. */
export function serviceOrigin(
  name: string,
  bundle: BundleConfig,
  service: BundleServiceConfig,
  verification: Verification | 'none',
  options: OriginOptions & { readonly store?: BundleStore; readonly workshop: PolicyWorkshop },
): Origin {
  const { source, store, now, workshop } = options;
  const { polling, size_limit_bytes: maxBytes } = bundle;

  let answered = false;

  async function offer(body: Uint8Array): Promise<Refusal | undefined> {
    const content = await workshop.bundle(body, { verification, maxBytes, now: now() });
    if (!isRefusal(content)) return source.offer(name, content);
    source.fail(name, content);
    return content;
  }

  /** It serves, and yet it has to be seen that it is not what the service has. */
  async function takeKept(): Promise<void> {
    const kept = await store?.load(name, maxBytes);
    if (kept === undefined) return;
    const content = await workshop.bundle(kept, { verification, maxBytes, now: now() });
    if (answered) return;
    if (isRefusal(content))
      return source.fail(name, { ...content, detail: `as it was kept: ${content.detail}` });
    const { error } = source.status().find((part) => part.name === name)!;
    const refusal = await source.offer(name, content);
    if (refusal === undefined && error !== undefined && !answered) source.fail(name, error);
  }

  const poller = createBundlePoller({
    get: bundleGetter(service, bundle.resource ?? `bundles/${name}`, maxBytes),
    async updated(body) {
      answered = true;
      options.onRequest(name, 'updated');
      const refusal = await offer(body);
      if (refusal === undefined)
        await store?.save(name, body).catch((error: Error) => options.onStoreFailure(name, error));
      return refusal;
    },
    unchanged() {
      options.onRequest(name, 'unchanged');
      source.confirm(name);
    },
    failed(refusal) {
      options.onRequest(name, 'failed');
      source.fail(name, refusal);
    },
    minDelay: polling.min_delay,
    maxDelay: polling.max_delay,
    longPolling: polling.long_polling_timeout,
    timeout: service.timeout,
    random: Math.random,
    elapsed: () => performance.now(),
  });

  return {
    name,
    kind: 'service',
    async start() {
      await Promise.race([poller.start(), elapsed(PATIENCE)]);
      if (source.status().find((part) => part.name === name)!.revision === undefined) await takeKept();
    },
    reload: () => poller.force(),
    stop: () => poller.stop(),
  };
}

function elapsed(milliseconds: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, milliseconds).unref());
}
