import { createMask, type MaskingOptions } from './masking.js';
import { createLineSink, standardOutput, type LineSink } from './line-sink.js';
import type { DropCause } from './metrics.js';
import type { Observation } from './observation.js';
import type { ShadowDifference } from './shadow.js';

export interface DecisionLogOptions extends MaskingOptions {
  /** OPA's `labels`: which server this is. */
  readonly labels: { readonly [name: string]: string };
  /** Where lines go. Standard output unless given. */
  readonly destination?: { write(line: string): void };
  readonly onDrop: (cause: DropCause) => void;
}

/** One JSON line for each decision, with the fields of OPA's decision-log events. */
export interface DecisionLog {
  /** Never throws and never waits: an event that cannot be written is dropped and counted. */
  record(observation: Observation): void;
  /** Another policy would have decided otherwise. Like {@link record}. */
  recordShadow(difference: ShadowDifference): void;
  /** Writes out what is still buffered, for two seconds at most: a reader that stopped must not keep the process. */
  close(): Promise<void>;
}

/** Bytes that wait for a slow sink before events are dropped. */
const BUFFER = 16 * 1024 * 1024;

/** A line longer than this (UTF-16 code units) goes without its input. */
const LONGEST = 64 * 1024;

/** Milliseconds for what is buffered at the end. */
const LAST_WORDS = 2_000;

export function createDecisionLog(options: DecisionLogOptions): DecisionLog {
  const own: LineSink | undefined = options.destination
    ? undefined
    : createLineSink({ to: standardOutput(), capacity: BUFFER, onDrop: options.onDrop });
  const sink = options.destination ?? own!;
  const mask = createMask(options);

  function line(whole: Event): string | undefined {
    let clean: ReturnType<typeof mask>;
    try {
      clean = mask(whole);
    } catch {
      options.onDrop('masking');
      return undefined;
    }
    const { event, erased, masked } = clean;
    const text = written(event, erased, masked);
    if (text.length <= LONGEST) return text;
    // What was taken out of the input went with it; of a long input that alone could be a long list.
    const left = (pointer: string) => !pointer.startsWith('/input/');
    return written({ ...event, input: null }, [...erased.filter(left), '/input'], masked.filter(left));
  }

  function put(event: () => Event): void {
    try {
      const text = line(event());
      if (text !== undefined) sink.write(`${text}\n`);
    } catch {
      options.onDrop('failure');
    }
  }

  return {
    record: (observation) => put(() => decisionEvent(observation, options.labels)),
    recordShadow: (difference) => put(() => shadowEvent(difference, options.labels)),
    async close() {
      await own?.close(LAST_WORDS);
    },
  };
}

interface Event {
  readonly [name: string]: unknown;
}

function written(event: object, erased: readonly string[], masked: readonly string[]): string {
  const line: { [name: string]: unknown } = { level: 'info' };
  Object.assign(line, event);
  if (erased.length > 0) line.erased = erased;
  if (masked.length > 0) line.masked = masked;
  line.msg = 'shadow' in event ? SHADOW_MESSAGE : MESSAGE;
  return JSON.stringify(line);
}

/** OPA's own: what its decisions are told from other lines by. */
const MESSAGE = 'Decision Log';
const SHADOW_MESSAGE = 'Shadow Decision Log';

/** One event, unmasked. */
export function decisionEvent(
  { decision, facts, trace: told, durations }: Observation,
  labels: { readonly [name: string]: string },
): { readonly [name: string]: unknown } {
  const { policy, identity, token, transaction, misuse, upstreamToken } = decision;
  const envoyInput = facts?.envoyInput ?? told;
  const attributes = envoyInput?.attributes as Attributes | undefined;
  const headers = attributes?.request?.http?.headers ?? {};
  const socket = attributes?.source?.address?.socketAddress;
  const { trace_id, span_id } = trace(headers.traceparent);
  const { timings } = decision;
  // One literal: each object spread into it would cost a microsecond. Members that are undefined are not written.
  return {
    type: 'openpolicyagent.org/decision_logs',
    labels,
    decision_id: decision.id,
    trace_id,
    span_id,
    bundles: policy && (policy.bundles ?? { policy: { revision: policy.revision } }),
    path: policy?.entrypoint,
    input: policy?.input ?? envoyInput,
    result: policy?.result && resultOf(policy.result),
    outcome: decision.outcome,
    reason: decision.reason,
    detail: decision.detail,
    spiffe_id: identity?.spiffeId,
    issuer: token?.issuer,
    subject: token?.subject,
    client_id: token?.clientId,
    delegation: token && token.actors.length > 0 ? delegation(token) : undefined,
    transaction: transaction && {
      issuer: transaction.issuer,
      txn: transaction.id,
      subject: transaction.subject,
      requesting_workload: transaction.requestingWorkload,
    },
    upstream_token: upstreamToken && {
      from: upstreamToken.from,
      audience: upstreamToken.audience,
      scopes: list(upstreamToken.scopes),
      obtained: upstreamToken.obtained,
      expires_at: upstreamToken.expiresAt && new Date(upstreamToken.expiresAt).toISOString(),
    },
    theft: misuse && {
      presented_by: identity?.spiffeId,
      issuer: misuse.token.issuer,
      subject: misuse.token.subject,
      client_id: misuse.token.clientId,
      bound_by: misuse.boundBy,
      bound_to: misuse.boundTo,
    },
    requested_by: socket && hostAndPort(socket.address ?? '', socket.portValue ?? 0),
    timestamp: new Date(decision.at).toISOString(),
    metrics: {
      timer_server_handler_ns: durations.total,
      timer_identity_ns: timings.identity,
      timer_token_ns: timings.token,
      timer_rego_query_eval_ns: timings.policy,
    },
    req_id: headers['x-request-id'],
  };
}

function delegation({ actors, claims }: NonNullable<Observation['decision']['token']>): object {
  return {
    actors: actors.map(({ iss, sub, client_id }) => ({ iss, sub, client_id })),
    jti: claims.jti,
    txn: claims.txn,
  };
}

/** The decision's own event, with what the other policy says. */
function shadowEvent(
  { observation, difference, answer, path, result }: ShadowDifference,
  labels: { readonly [name: string]: string },
): Event {
  return {
    ...decisionEvent(observation, labels),
    type: 'countersign/shadow_decisions',
    shadow: {
      difference,
      bundles: answer.bundles,
      path,
      ...(result && { result: resultOf(result) }),
      ...(answer.code !== undefined && { reason: answer.code }),
      ...(answer.detail !== undefined && { detail: answer.detail }),
    },
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
    headers: byName(result.headers),
    request_headers_to_remove: list(result.requestHeadersToRemove),
    response_headers_to_add: byName(result.responseHeadersToAdd),
    query_parameters_to_set: byName(result.queryParametersToSet),
    query_parameters_to_remove: list(result.queryParametersToRemove),
    body: result.body,
    http_status: result.httpStatus,
    dynamic_metadata: result.dynamicMetadata,
    reason: result.reason,
    reasons: list(result.reasons),
    step_up: result.stepUp && {
      acr_values: list(result.stepUp.acrValues),
      max_age: result.stepUp.maxAge,
    },
    required_scopes: list(result.requiredScopes),
    upstream_token: result.upstreamToken,
  };
}

/** Undefined where it is empty. */
function list(values: readonly string[]): readonly string[] | undefined {
  return values.length > 0 ? values : undefined;
}

/** As the contract has them: a name with its value, or with all of them where there are several. Undefined where there is none. */
function byName(pairs: readonly (readonly [name: string, value: string])[]): object | undefined {
  if (pairs.length === 0) return undefined;
  const values = new Map<string, string | string[]>();
  for (const [name, value] of pairs) {
    const known = values.get(name);
    values.set(name, known === undefined ? value : [known, value].flat());
  }
  return Object.fromEntries(values);
}

/** RFC 3986 section 3.2.2: an IPv6 address stands in brackets. */
function hostAndPort(host: string, port: number): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** W3C Trace Context section 3.2: version, trace id, parent id, flags. */
function trace(traceparent: string | undefined): { trace_id?: string; span_id?: string } {
  const match = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}/.exec(traceparent ?? '');
  return match ? { trace_id: match[1]!, span_id: match[2]! } : {};
}
