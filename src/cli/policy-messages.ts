import type { Refusal } from '../errors/refusal.js';
import type { BundleParcel, OpenBundleOptions } from '../policy/bundle.js';
import type { LaidOutPolicy } from '../policy/evaluator.js';
import type { PolicyModule } from '../policy/wasm/module.js';
import type { CompiledRego, PreparedPolicy } from './policy-loader.js';

/** What the thread that reads and lays out large policies is asked. Bytes are shared, not copied. */
export type PolicyQuestion =
  | { readonly kind: 'folder'; readonly path: string; readonly entrypoints: readonly string[] }
  | {
      readonly kind: 'file';
      readonly path: string;
      readonly options: OpenBundleOptions & { maxBytes: number };
    }
  | { readonly kind: 'bundle'; readonly bytes: Uint8Array; readonly options: OpenBundleOptions }
  | {
      readonly kind: 'prepare';
      readonly parts: readonly (readonly [name: string, part: BundleParcel])[];
      readonly entrypoints: readonly string[];
      readonly last?: CompiledRego | undefined;
      /** Whether data is laid out for this process, and with which Wasm that was already. */
      readonly layOut: false | { readonly known?: PolicyModule | undefined };
    };

/** What it answers: to each kind of question its own, or why not. */
export interface PolicyReply {
  readonly refusal?: Refusal;
  readonly opened?: BundleParcel;
  readonly prepared?: PreparedPolicy;
  readonly compiled?: CompiledRego;
  readonly laidOut?: LaidOutPolicy;
}
