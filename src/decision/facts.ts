import type { PeerEvidence } from '../identity/types.js';

/** One request, as Envoy told it, in the words of the pipeline. Nothing here is verified. */
export interface RequestFacts {
  readonly peer: PeerEvidence;
  /** `destination.principal`: what Envoy's own certificate calls the workload that is called; empty when absent. */
  readonly destination: string;
  /** Every `authorization` header line, in order. */
  readonly authorization: readonly string[];
  /** Every line of another header, by its lower-case name, in order; empty when none arrived. */
  header(name: string): readonly string[];
  /** What the route's `context_extensions` ask for (from Envoy's configuration, never from the client). */
  readonly route: { readonly [name: string]: string };
  /** Names of the `x-countersign-*` headers that the client sent: none of them may reach the upstream. */
  readonly forgedHeaders: readonly string[];
  /** Absent for a TCP connection (network filter). */
  readonly http?: HttpFacts;
  /** OPA-Envoy's part of the policy's input: attributes, parsed_path, parsed_query, parsed_body, … */
  readonly envoyInput: { readonly [name: string]: unknown };
}

export interface HttpFacts {
  readonly method: string;
  /** Canonical: see src/envoy/path.ts. */
  readonly path: string;
  /** As the client sent it, without the query. */
  readonly rawPath: string;
  /** Without the question mark; empty when there is none. */
  readonly query: string;
  readonly host: string;
  readonly scheme: string;
}

/** Why a CheckRequest cannot be turned into facts. */
export type RequestCode = 'request_malformed' | 'path_refused';
