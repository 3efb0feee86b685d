import type { Config } from '../../config/schema.js';
import type { HubReply, HubRequest } from '../../feed/port.js';
import type { DataImage } from '../../policy/wasm/instance.js';
import type { Snapshot } from '../../telemetry/metrics.js';
import type { PreparedPolicy } from '../policy-loader.js';

/** Which of the policies: the one that decides, or the one that is only asked beside it. */
export type PolicyName = 'policy' | 'shadow';

/** All of a prepared policy but what may be large. */
export type PolicyHead = Omit<PreparedPolicy, 'wasm' | 'data'>;

/** A policy on its way to a worker, in pieces, so that neither side is held up by it. */
export type PolicyPiece =
  /** There is none yet. */
  | { readonly kind: 'none' }
  /**
   * `wasm` is its length, or absent where it is that of last time. `data` is the length of its JSON; with `image`, of
   * what that was laid out to.
   */
  | {
      readonly kind: 'head';
      readonly version: number;
      readonly head: PolicyHead;
      readonly wasm?: number;
      readonly data: number;
      readonly image?: Omit<DataImage, 'bytes'>;
    }
  | { readonly kind: 'piece'; readonly part: 'wasm' | 'data'; readonly bytes: Uint8Array }
  | { readonly kind: 'end' };

/** What became of it there. */
export type PolicyOutcome =
  | { readonly kind: 'want' }
  | { readonly kind: 'loaded'; readonly version: number; readonly revision: string }
  | { readonly kind: 'refused'; readonly version: number; readonly code: string; readonly detail: string };

/** What the supervisor tells a worker. */
export type ToWorker =
  | { readonly to: 'start'; readonly worker: number; readonly config: Config }
  | { readonly to: 'hub'; readonly reply: HubReply }
  | { readonly to: PolicyName; readonly piece: PolicyPiece }
  /** With a socket. */
  | { readonly to: 'connection' }
  | { readonly to: 'scrape'; readonly id: number }
  | { readonly to: 'reload' }
  | { readonly to: 'stop' };

/** What a worker tells the supervisor. */
export type FromWorker =
  /** Its code runs: it can be told what to do. */
  | { readonly from: 'up' }
  /** It takes connections. */
  | { readonly from: 'ready' }
  | { readonly from: 'hub'; readonly request: HubRequest }
  | { readonly from: PolicyName; readonly outcome: PolicyOutcome }
  /** A connection that it was given is over. */
  | { readonly from: 'closed' }
  /** It is about to end, and takes nothing more. */
  | { readonly from: 'leaving' }
  /** Every now and then without an `id`; with that of the `scrape` that it answers. */
  | { readonly from: 'metrics'; readonly id?: number; readonly snapshots: readonly Snapshot[] };
