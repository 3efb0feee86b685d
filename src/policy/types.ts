import type { Refusal } from '../errors/refusal.js';

/** Every reason for which a policy gives no usable answer. A usable answer may still be a denial. */
export type PolicyCode = 'policy_undefined' | 'policy_error' | 'policy_result_invalid' | 'policy_unavailable';

/** A policy's answer, read and checked: OPA-Envoy's object, with a boolean widened to it. */
export interface PolicyResult {
  readonly allowed: boolean;
  /** Allowed: headers for the upstream request. Denied: headers of the denial. Repeats kept, in order. */
  readonly headers: readonly HeaderPair[];
  readonly responseHeadersToAdd: readonly HeaderPair[];
  readonly requestHeadersToRemove: readonly string[];
  /** Unencoded; whoever writes the answer percent-encodes. */
  readonly queryParametersToSet: readonly HeaderPair[];
  readonly queryParametersToRemove: readonly string[];
  readonly body?: string;
  /** 300-599. */
  readonly httpStatus?: number;
  readonly dynamicMetadata?: { readonly [name: string]: unknown };
  /** For the log, the metadata and `explain`; never sent to the client by us. */
  readonly reason?: string;
  readonly reasons: readonly string[];
  /** Scopes whose lack is the cause of a denial: the answer becomes RFC 6750's insufficient_scope. */
  readonly requiredScopes: readonly string[];
  /** How the user has to have been authenticated for it: the answer becomes RFC 9470's challenge. */
  readonly stepUp?: StepUp;
  /** A token that the upstream is to get. Means nothing in a denial. */
  readonly upstreamToken?: UpstreamTokenWish;
}

/** What a policy asks of `broker.servers`. */
export interface UpstreamTokenWish {
  /** The server's name. */
  readonly from: string;
  readonly audience: string;
  readonly scopes: readonly string[];
}

/** What a user's authentication lacks (RFC 9470 section 3); one of the two is there. */
export interface StepUp {
  /** Classes of which one would do, the preferred one first; empty where any does. */
  readonly acrValues: readonly string[];
  /** Seconds that the authentication may be old. */
  readonly maxAge?: number;
}

export type HeaderPair = readonly [name: string, value: string];

/** As OPA's decision log has them. */
export interface BundleRevisions {
  readonly [name: string]: { readonly revision: string };
}

/** One compiled policy with its data, whole: never half of one revision and half of another. */
export interface Policy {
  readonly revision: string;
  /** The revisions of the bundles that it was made of, by their names; `policy` where it is one without a name. */
  readonly bundles?: BundleRevisions;
  readonly entrypoints: readonly string[];
  /**
   * Evaluates one entrypoint. Never throws; an evaluation that fails leaves the next one clean.
   *
   * @param input any JSON value; bigint and ExactNumber are written exactly.
   * @param now milliseconds since the epoch: `time.now_ns` for the whole evaluation.
   */
  evaluate(entrypoint: string, input: unknown, now: number): PolicyResult | Refusal<PolicyCode>;
}
