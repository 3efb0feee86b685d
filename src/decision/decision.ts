import type { UpstreamToken } from '../broker/types.js';
import type { WorkloadIdentity } from '../identity/types.js';
import type { BundleRevisions, HeaderPair, PolicyResult } from '../policy/types.js';
import type { Transaction } from '../token/transaction-claims.js';
import type { Misuse, VerifiedToken } from '../token/types.js';
import type { Challenge } from './challenge.js';
import type { GrpcStatus, ReasonCode } from './reasons.js';

/** One answer to one request, with all that the answer and the log need. */
export interface Decision {
  /** Random UUID: in the answer, the log, the upstream's header and Envoy's metadata. */
  readonly id: string;
  /** Milliseconds since the epoch: the one instant that every stage judged by. */
  readonly at: number;
  readonly outcome: 'allow' | 'deny';
  readonly reason: ReasonCode;
  /** For the operator: what exactly was wrong. Never sent to the client. */
  readonly detail?: string;
  readonly answer: Allow | Deny;
  readonly identity?: WorkloadIdentity;
  readonly token?: VerifiedToken;
  readonly transaction?: Transaction;
  /** Present where a genuine token was refused since it is somebody else's. */
  readonly misuse?: Misuse;
  /** Present where the upstream gets a token that a policy asked for. Its value goes into the answer, and nowhere else. */
  readonly upstreamToken?: UpstreamToken;
  /** How a denial tells the client what would do. */
  readonly challenge?: Challenge;
  /** Its answer says what another one for the same token and result would not. */
  readonly singular?: true;
  /** Present once a policy was asked. */
  readonly policy?: PolicyEvidence;
  readonly timings: StageTimings;
}

export interface PolicyEvidence {
  readonly revision: string;
  /** Absent where the policy was made of one bundle without a name. */
  readonly bundles?: BundleRevisions;
  readonly entrypoint: string;
  /** The whole input, unmasked: whoever writes it anywhere masks it first. */
  readonly input: { readonly [name: string]: unknown };
  /** Absent when the evaluation gave no usable result. */
  readonly result?: PolicyResult;
}

/** Nanoseconds spent in each stage; a stage that was not reached is absent. */
export interface StageTimings {
  identity?: number;
  token?: number;
  policy?: number;
}

interface Answer {
  readonly grpcStatus: GrpcStatus;
  /** Top-level `CheckResponse.dynamic_metadata`, which Envoy files under the filter's name. */
  readonly dynamicMetadata: { readonly [name: string]: unknown };
}

export interface Allow extends Answer {
  readonly allowed: true;
  /** Set on the upstream request, replacing whatever the client sent under these names. */
  readonly requestHeaders: readonly HeaderPair[];
  readonly requestHeadersToRemove: readonly string[];
  readonly responseHeadersToAdd: readonly HeaderPair[];
  /** Unencoded. */
  readonly queryParametersToSet: readonly HeaderPair[];
  readonly queryParametersToRemove: readonly string[];
}

export interface Deny extends Answer {
  readonly allowed: false;
  /** 300-599. */
  readonly httpStatus: number;
  /** Headers of the denial, challenges included; repeats kept, in order. */
  readonly headers: readonly HeaderPair[];
  readonly body: string;
}
