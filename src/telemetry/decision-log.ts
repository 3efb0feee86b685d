import { type DestinationStream, pino } from 'pino';
import { createMask, type MaskingOptions } from './masking.js';
import type { DropCause } from './metrics.js';
import type { Observation } from './observation.js';

export interface DecisionLogOptions extends MaskingOptions {
  /** OPA's `labels`: which server this is. */
  readonly labels: { readonly [name: string]: string };
  /** Where lines go. Standard output unless given. */
  readonly destination?: DestinationStream;
  readonly onDrop: (cause: DropCause) => void;
}

/** One JSON line for each decision, with the fields of OPA's decision-log events. */
export interface DecisionLog {
  /** Never throws and never waits: an event that cannot be written is dropped and counted. */
  record(observation: Observation): void;
  /** Writes out what is still buffered. */
  flush(): Promise<void>;
}

/** Bytes that wait for a slow sink before events are dropped. */
const BUFFER = 16 * 1024 * 1024;

/** A line longer than this (UTF-16 code units) goes without its input. */
const LONGEST = 64 * 1024;

export function createDecisionLog(options: DecisionLogOptions): DecisionLog {
  const sink = options.destination ?? standardOutput(options.onDrop);
  const mask = createMask(options);

  function line(observation: Observation): string | undefined {
    const whole = decisionEvent(observation, options.labels);
    let clean: ReturnType<typeof mask>;
    try {
      clean = mask(whole);
    } catch {
      options.onDrop('masking');
      return undefined;
    }
    const { event, erased, masked } = clean;
    const marks = { ...(erased.length > 0 && { erased }), ...(masked.length > 0 && { masked }) };
    const text = JSON.stringify({ level: 'info', ...event, ...marks, msg: MESSAGE });
    if (text.length <= LONGEST) return text;
    return JSON.stringify({
      level: 'info',
      ...event,
      input: null,
      ...marks,
      erased: [...erased, '/input'],
      msg: MESSAGE,
    });
  }

  return {
    record(observation) {
      try {
        const text = line(observation);
        if (text !== undefined) sink.write(`${text}\n`);
      } catch {
        options.onDrop('failure');
      }
    },
    flush: () => flushed(sink),
  };
}

/** OPA's own: what its decisions are told from other lines by. */
const MESSAGE = 'Decision Log';

/** pino's destinations flush; a stream that does not has nothing that waits. */
function flushed(sink: DestinationStream & { flush?: (done: () => void) => void }): Promise<void> {
  return new Promise((resolve) => (sink.flush ? sink.flush(() => resolve()) : resolve()));
}

function standardOutput(onDrop: (cause: DropCause) => void): DestinationStream {
  const stream = pino.destination({ fd: 1, sync: false, maxLength: BUFFER });
  stream.on('drop', () => onDrop('backpressure'));
  // A reader that went away (EPIPE) must not take the server with it.
  stream.on('error', () => onDrop('failure'));
  return stream;
}

/** One event, unmasked. */
export function decisionEvent(
  { decision, facts, durations }: Observation,
  labels: { readonly [name: string]: string },
): { readonly [name: string]: unknown } {
  const { policy, identity, token } = decision;
  const attributes = facts?.envoyInput.attributes as Attributes | undefined;
  const headers = attributes?.request?.http?.headers ?? {};
  return {
    type: 'openpolicyagent.org/decision_logs',
    labels,
    decision_id: decision.id,
    ...trace(headers.traceparent),
    ...(policy && { bundles: { policy: { revision: policy.revision } }, path: policy.entrypoint }),
    input: policy?.input ?? facts?.envoyInput,
    ...(policy?.result && { result: resultOf(policy.result) }),
    outcome: decision.outcome,
    reason: decision.reason,
    ...(decision.detail !== undefined && { detail: decision.detail }),
    ...(identity && { spiffe_id: identity.spiffeId }),
    ...(token && { issuer: token.issuer, subject: token.subject, client_id: token.clientId }),
    ...(attributes?.source?.address?.socketAddress && {
      requested_by: `${attributes.source.address.socketAddress.address}:${attributes.source.address.socketAddress.portValue}`,
    }),
    timestamp: new Date(decision.at).toISOString(),
    metrics: {
      timer_server_handler_ns: durations.total,
      ...(decision.timings.identity !== undefined && { timer_identity_ns: decision.timings.identity }),
      ...(decision.timings.token !== undefined && { timer_token_ns: decision.timings.token }),
      ...(decision.timings.policy !== undefined && { timer_rego_query_eval_ns: decision.timings.policy }),
    },
    ...(headers['x-request-id'] !== undefined && { req_id: headers['x-request-id'] }),
  };
}

/** What an event reads of Envoy's attributes. */
interface Attributes {
  readonly source?: {
    readonly address?: {
      readonly socketAddress?: { readonly address?: string; readonly portValue?: number };
    };
  };
  readonly request?: { readonly http?: { readonly headers?: { readonly [name: string]: string } } };
}

/** The policy's own words, without what it left at its default. */
function resultOf(result: NonNullable<NonNullable<Observation['decision']['policy']>['result']>): object {
  return {
    allowed: result.allowed,
    ...(result.headers.length > 0 && { headers: Object.fromEntries(result.headers) }),
    ...(result.responseHeadersToAdd.length > 0 && {
      response_headers_to_add: Object.fromEntries(result.responseHeadersToAdd),
    }),
    ...(result.body !== undefined && { body: result.body }),
    ...(result.httpStatus !== undefined && { http_status: result.httpStatus }),
    ...(result.dynamicMetadata && { dynamic_metadata: result.dynamicMetadata }),
    ...(result.reason !== undefined && { reason: result.reason }),
    ...(result.reasons.length > 0 && { reasons: result.reasons }),
    ...(result.requiredScopes.length > 0 && { required_scopes: result.requiredScopes }),
  };
}

/** W3C Trace Context section 3.2: version, trace id, parent id, flags. */
function trace(traceparent: string | undefined): { trace_id?: string; span_id?: string } {
  const match = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}/.exec(traceparent ?? '');
  return match ? { trace_id: match[1]!, span_id: match[2]! } : {};
}
