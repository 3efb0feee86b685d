import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isRefusal, refuse, type Refusal } from '../errors/refusal.js';
import { unpackBundle } from '../policy/bundle-archive.js';
import {
  bytesOf,
  openFiles,
  type BundleContent,
  type BundleParcel,
  type OpenBundleOptions,
} from '../policy/bundle.js';
import type { LaidOutPolicy } from '../policy/evaluator.js';
import type { Contents, PartContent } from '../policy/source.js';
import type { PolicyModule } from '../policy/wasm/module.js';
import { packData, share } from './parcel.js';
import { readBundleFile, readPolicyFolder } from './policy-files.js';
import { createPolicyCompiler, type CompiledRego, type PreparedPolicy } from './policy-loader.js';
import type { PolicyQuestion, PolicyReply } from './policy-messages.js';
import { createThread } from './thread.js';

/**
 * Bytes of Rego and data up to which a policy is read and prepared between two requests: a few milliseconds. Beyond
 * them it is a thread's work, which begins and ends with it and takes a tenth of a second more.
 */
export const SMALL = 128 * 1024;

/** The same of a whole bundle, its Wasm among it: packed, and unpacked. */
const SMALL_PACKED = 1024 * 1024;
const SMALL_UNPACKED = 4 * 1024 * 1024;

/** Milliseconds for one answer of the thread; 256 MB, signed, take less than a minute. */
const PATIENCE = 120_000;

/** Milliseconds without work after which the thread ends. */
const IDLE = 1_000;

/** Megabytes of JavaScript's own that the thread may take, which 256 MB of data need. */
const MOST_MEMORY = 4096;

export interface WorkshopOptions {
  readonly entrypoints: readonly string[];
  /**
   * Whether a large policy is laid out for this process; it then comes without its data. Otherwise its data comes as
   * text, for who evaluates it elsewhere. Default true.
   */
  readonly layOut?: boolean;
  /** The thread's script. Default: the one beside this file. */
  readonly script?: URL;
  /** Megabytes of JavaScript's heap for the thread. */
  readonly maxMemory?: number;
}

/** A policy that is ready to be loaded; `laidOut` in place of its data. */
export interface Prepared {
  readonly prepared: PreparedPolicy;
  readonly laidOut?: LaidOutPolicy;
}

/**
 * Where bundles and folders are read, verified, combined, compiled and laid out: here when they are small, and
 * otherwise in a thread, so that no decision waits for it. A thread that dies refuses what it was at.
 */
export interface PolicyWorkshop {
  folder(path: string): Promise<PartContent | Refusal>;
  file(
    path: string,
    options: OpenBundleOptions & { readonly maxBytes: number },
  ): Promise<PartContent | Refusal>;
  bundle(bytes: Uint8Array, options: OpenBundleOptions): Promise<PartContent | Refusal>;
  prepare(contents: Contents): Promise<Prepared | Refusal>;
  stop(): void;
}

export function createPolicyWorkshop(options: WorkshopOptions): PolicyWorkshop {
  const { entrypoints, layOut = true } = options;
  const compileHere = createPolicyCompiler(entrypoints);
  let last: CompiledRego | undefined;
  let known: PolicyModule | undefined;
  let wasm: Uint8Array = new Uint8Array();

  /** Bytes that come from the thread are others each time; the same Wasm is to be the same object. */
  function same(bytes: Uint8Array): Uint8Array {
    if (Buffer.compare(wasm, bytes) !== 0) wasm = bytes;
    return wasm;
  }

  const thread = createThread<PolicyQuestion, PolicyReply>({
    script: options.script ?? new URL('./policy-worker.js', import.meta.url),
    maxMemory: options.maxMemory ?? MOST_MEMORY,
    idle: IDLE,
  });

  async function ask(question: PolicyQuestion): Promise<PolicyReply | Refusal> {
    const reply = await thread.ask(question, PATIENCE);
    if (isRefusal(reply))
      return refuse('policy_thread_failed', `the thread that reads large policies ended: ${reply.detail}`);
    return reply.refusal ?? reply;
  }

  async function open(question: PolicyQuestion): Promise<PartContent | Refusal> {
    const reply = await ask(question);
    return isRefusal(reply) ? reply : reply.opened!;
  }

  async function openBytes(bytes: Uint8Array, how: OpenBundleOptions): Promise<PartContent | Refusal> {
    if (bytes.byteLength <= SMALL_PACKED) {
      const files = await unpackBundle(bytes, Math.min(how.maxBytes ?? Infinity, SMALL_UNPACKED));
      if (!isRefusal(files)) {
        if (bytesOf(files) <= SMALL) return openFiles(files, bytes, how);
      } else if (files.code !== 'bundle_too_large') return files;
    }
    return open({ kind: 'bundle', bytes: await share(bytes), options: how });
  }

  return {
    async folder(path) {
      return (await isSmallFolder(path))
        ? readPolicyFolder(path, entrypoints)
        : open({ kind: 'folder', path, entrypoints });
    },
    async file(path, how) {
      const size = await stat(path)
        .then((found) => (found.isFile() ? found.size : 0))
        .catch(() => 0);
      if (size > SMALL_PACKED) return open({ kind: 'file', path, options: how });
      return readBundleFile(path, how, openBytes);
    },
    bundle: openBytes,
    async prepare(contents) {
      const small = smallContents(contents);
      if (small !== undefined) {
        const prepared = await compileHere(small);
        return isRefusal(prepared) ? prepared : { prepared };
      }
      const reply = await ask({
        kind: 'prepare',
        parts: await parcels(contents),
        entrypoints,
        last,
        layOut: layOut && { known },
      });
      if (isRefusal(reply)) return reply;
      last = reply.compiled ?? last;
      known = reply.laidOut?.module ?? known;
      const prepared = { ...reply.prepared!, wasm: same(reply.prepared!.wasm) };
      return { prepared, ...(reply.laidOut && { laidOut: reply.laidOut }) };
    },
    stop: () => thread.end(),
  };
}

/** The parts, where all of them together are small. */
function smallContents(contents: Contents): ReadonlyMap<string, BundleContent> | undefined {
  const small = new Map<string, BundleContent>();
  let bytes = 0;
  for (const [name, part] of contents) {
    if (isParcel(part)) return undefined;
    bytes += part.bytes;
    small.set(name, part);
  }
  return bytes <= SMALL ? small : undefined;
}

async function parcels(contents: Contents): Promise<(readonly [string, BundleParcel])[]> {
  const packed: (readonly [string, BundleParcel])[] = [];
  for (const [name, part] of contents) {
    packed.push([name, isParcel(part) ? part : { ...part, data: packData(part.data) }]);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return packed;
}

function isParcel(part: PartContent): part is BundleParcel {
  return part.data instanceof Uint8Array;
}

/** By what the file system says; what is not there is small. */
async function isSmallFolder(path: string): Promise<boolean> {
  let bytes = 0;
  const look = async (folder: string, depth: number): Promise<void> => {
    for (const name of await readdir(folder)) {
      if (bytes > SMALL || depth > 64) return;
      if (name.startsWith('.') || name === 'node_modules') continue;
      const found = await stat(join(folder, name));
      if (found.isDirectory()) await look(join(folder, name), depth + 1);
      else if (/\.(?:rego|json|ya?ml)$/.test(name)) bytes += found.size;
    }
  };
  await look(path, 0).catch(() => undefined);
  return bytes <= SMALL;
}
