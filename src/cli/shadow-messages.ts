import type { ShadowAnswer } from '../telemetry/shadow.js';
import type { PreparedPolicy } from './policy-loader.js';

/** What the thread of the shadow policy is told. */
export type ShadowRequest =
  | {
      readonly kind: 'load';
      /** `data` as text, in which numbers stay exact on their way. */
      readonly prepared: PreparedPolicy & { readonly data: Uint8Array };
      readonly entrypoints: readonly string[];
      readonly rewrite: boolean;
    }
  | { readonly kind: 'evaluate'; readonly entrypoint: string; readonly input: string; readonly now: number };

/** What it answers. */
export interface ShadowReply {
  /** Of `load`, where the policy is refused. */
  readonly refused?: { readonly code: string; readonly detail: string };
  /** Of `evaluate`. */
  readonly answer?: ShadowAnswer;
}
