import { stringifyExact } from '../../json/exact.js';
import type { LaidOutPolicy } from '../../policy/evaluator.js';
import type { DataImage } from '../../policy/wasm/instance.js';
import type { PreparedPolicy } from '../policy-loader.js';
import type { PolicyHead, PolicyOutcome, PolicyPiece } from './messages.js';

/** A worker, as what brings policies there sees it. */
export interface PolicyLink {
  /** Resolves once it is on its way, so that there is never more than one piece in memory; also when it is lost. */
  send(piece: PolicyPiece): Promise<void>;
}

/** Brings each policy to every worker, the present one to those that come later. */
export interface PolicyPublisher {
  /** @param laidOut in place of its data, where that is large: it is laid out once, and copied into place everywhere */
  publish(prepared: PreparedPolicy, laidOut?: LaidOutPolicy): void;
  attach(link: PolicyLink): {
    /** Takes the worker's words. */
    take(outcome: PolicyOutcome): void;
    /** The worker is gone. */
    end(): void;
  };
}

/** Bytes. One message takes a fraction of a millisecond on either side. */
const PIECE = 256 * 1024;

interface Version {
  readonly version: number;
  readonly head: PolicyHead;
  readonly wasm: Uint8Array;
  /** JSON, in which numbers stay exact on their way; or what it was laid out to. */
  readonly data: Uint8Array;
  readonly image?: Omit<DataImage, 'bytes'>;
}

export function createPolicyPublisher(): PolicyPublisher {
  const notify = new Set<() => void>();
  let newest: Version | undefined;
  let versions = 0;

  return {
    publish({ wasm, data, ...head }, laidOut) {
      newest = { version: ++versions, head, wasm, ...payload(data, laidOut) };
      for (const tell of notify) tell();
    },
    attach(link) {
      let told: Version | undefined;
      let busy = false;

      /** One version after the other; one that is overtaken is given up half way. */
      async function bring(): Promise<void> {
        if (busy) return;
        busy = true;
        while (newest !== undefined && newest !== told) {
          const version = newest;
          if (await transfer(link, version, told?.wasm, () => newest === version)) told = version;
        }
        busy = false;
      }

      const tell = () => void bring();
      return {
        take(outcome) {
          if (outcome.kind !== 'want') return;
          notify.add(tell);
          if (newest === undefined) void link.send({ kind: 'none' });
          else tell();
        },
        end: () => void notify.delete(tell),
      };
    },
  };
}

function payload(
  data: PreparedPolicy['data'],
  laidOut: LaidOutPolicy | undefined,
): Pick<Version, 'data' | 'image'> {
  if (laidOut !== undefined) {
    const { bytes, ...image } = laidOut.image;
    return { data: bytes, image };
  }
  return { data: data instanceof Uint8Array ? data : Buffer.from(stringifyExact(data)) };
}

async function transfer(
  link: PolicyLink,
  { version, head, wasm, data, image }: Version,
  known: Uint8Array | undefined,
  wanted: () => boolean,
): Promise<boolean> {
  const same = known === wasm;
  await link.send({
    kind: 'head',
    version,
    head,
    data: data.length,
    ...(image && { image }),
    ...(!same && { wasm: wasm.length }),
  });
  for (const [part, bytes] of [['wasm', same ? new Uint8Array() : wasm] as const, ['data', data] as const])
    for (let at = 0; at < bytes.length; at += PIECE) {
      await link.send({ kind: 'piece', part, bytes: bytes.subarray(at, at + PIECE) });
      if (!wanted()) return false;
    }
  await link.send({ kind: 'end' });
  return true;
}
