import type { ShadowAnswer } from '../telemetry/shadow.js';
import type { PreparedPolicy } from './policy-loader.js';

/** What the thread of the shadow policy is told. */
export type ShadowRequest = { readonly id: number } & (
  | {
      readonly kind: 'load';
      /** `data` as JSON text, in which numbers stay exact on their way. */
      readonly prepared: Omit<PreparedPolicy, 'data'> & { readonly data: string };
      readonly entrypoints: readonly string[];
      readonly rewrite: boolean;
    }
  | { readonly kind: 'evaluate'; readonly entrypoint: string; readonly input: string; readonly now: number }
);

/** What it answers. */
export interface ShadowReply {
  readonly id: number;
  /** Of `load`, where the policy is refused. */
  readonly refused?: { readonly code: string; readonly detail: string };
  /** Of `evaluate`. */
  readonly answer?: ShadowAnswer;
}
