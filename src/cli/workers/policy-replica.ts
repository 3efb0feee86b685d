import { isRefusal, refuse, type Refusal } from '../../errors/refusal.js';
import type { LaidOutPolicy } from '../../policy/evaluator.js';
import type { Policy } from '../../policy/types.js';
import type { DataImage } from '../../policy/wasm/instance.js';
import { compilePolicy, type PolicyModule } from '../../policy/wasm/module.js';
import type { PreparedPolicy } from '../policy-loader.js';
import type { Policies } from '../policy-source.js';
import type { PolicyHead, PolicyOutcome, PolicyPiece } from './messages.js';

export interface PolicyReplicaOptions {
  /** Puts in force what the supervisor has prepared. */
  readonly load: (prepared: PreparedPolicy, laidOut: LaidOutPolicy | undefined) => Promise<Policy | Refusal>;
  readonly tell: (outcome: PolicyOutcome) => void;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** A policy that another process keeps up to date. */
export interface PolicyReplica extends Policies {
  take(piece: PolicyPiece): void;
}

interface Arriving {
  readonly version: number;
  readonly head: PolicyHead;
  readonly image: Omit<DataImage, 'bytes'> | undefined;
  readonly parts: { readonly [part in 'wasm' | 'data']: { readonly bytes: Uint8Array; at: number } };
  /** There is no `wasm`: it is that of the version before. */
  readonly same: boolean;
}

export function createPolicyReplica({ load, tell, now }: PolicyReplicaOptions): PolicyReplica {
  let current: Policy | undefined;
  let loadedAt: number | undefined;
  let arriving: Arriving | undefined;
  let wasm: Uint8Array = new Uint8Array();
  let module: { readonly of: Uint8Array; readonly compiled: PolicyModule } | undefined;
  let queue: Promise<void> = Promise.resolve();
  let latest = 0;
  let answered = () => {};
  const first = new Promise<void>((resolve) => (answered = resolve));

  async function put({ version, head, image, parts }: Arriving, bytes: Uint8Array): Promise<void> {
    // While one was loading, others came whole: the newest counts.
    if (version !== latest) return;
    let loaded: Policy | Refusal;
    try {
      const data = parts.data.bytes;
      if (image === undefined) loaded = await load({ ...head, wasm: bytes, data }, undefined);
      else {
        if (module?.of !== bytes) module = { of: bytes, compiled: await compilePolicy(bytes) };
        const laidOut = { module: module.compiled, image: { ...image, bytes: data } };
        loaded = await load({ ...head, wasm: bytes, data: {} }, laidOut);
      }
    } catch (error) {
      loaded = refuse('policy_unavailable', (error as Error).message);
    }
    if (isRefusal(loaded)) tell({ kind: 'refused', version, code: loaded.code, detail: loaded.detail });
    else {
      current = loaded;
      loadedAt = now();
      tell({ kind: 'loaded', version, revision: loaded.revision });
    }
    answered();
  }

  function whole(arrived: Arriving): void {
    // The same bytes are the same object, which is how the evaluator knows that only data changed.
    if (!arrived.same) wasm = arrived.parts.wasm.bytes;
    const bytes = wasm;
    latest = arrived.version;
    queue = queue.then(() => put(arrived, bytes));
  }

  return {
    current: () => current,
    loadedAt: () => loadedAt,
    // How its parts stand is for the supervisor to say.
    status: () => [],
    start() {
      tell({ kind: 'want' });
      return first;
    },
    reload: () => Promise.resolve(),
    stop() {},
    take(piece) {
      switch (piece.kind) {
        case 'none':
          answered();
          return;
        case 'head': {
          const { version, head, wasm: length, data, image } = piece;
          const room = (size = 0) => ({ bytes: new Uint8Array(size), at: 0 });
          arriving = {
            version,
            head,
            image,
            parts: { wasm: room(length), data: room(data) },
            same: length === undefined,
          };
          return;
        }
        case 'piece': {
          const part = arriving!.parts[piece.part];
          part.bytes.set(piece.bytes, part.at);
          part.at += piece.bytes.length;
          return;
        }
        case 'end':
          whole(arriving!);
          arriving = undefined;
      }
    },
  };
}
