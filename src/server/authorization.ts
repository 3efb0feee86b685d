import type { Decision } from '../decision/decision.js';
import type { RequestFacts } from '../decision/facts.js';
import type { Pipeline } from '../decision/pipeline.js';
import { GRPC, type ReasonCode } from '../decision/reasons.js';
import { toFacts, traceOf } from '../envoy/facts.js';
import type { GrpcDescriptors } from '../envoy/grpc-body.js';
import { decodeCheckRequest } from '../envoy/decode-request.js';
import { createDecisionEncoder } from '../envoy/encode-decision.js';
import { encodeCheckResponse } from '../envoy/encode-response.js';
import type { CheckRequest } from '../envoy/messages.js';
import { isRefusal, refuse, type Refusal } from '../errors/refusal.js';
import type { Observation } from '../telemetry/observation.js';
import type { UnaryCall, UnaryMethod } from './call.js';

export interface AuthorizationOptions {
  readonly pipeline: Pipeline;
  /** Of the gRPC services whose messages policies may see. */
  readonly descriptors?: GrpcDescriptors | undefined;
  /** Called after the answer has been handed over. What it throws is its own affair and changes no answer. */
  readonly observe: (observation: Observation) => void;
  /** Told of a defect: an exception that reached this far. */
  readonly onDefect: (error: unknown) => void;
}

/**
 * `envoy.service.auth.v3.Authorization/Check`. Every call is answered with an explicit status; an exception
 * anywhere is a denial, since Envoy reads an empty CheckResponse as allow.
 */
export function createAuthorization(options: AuthorizationOptions): UnaryMethod {
  const encode = createDecisionEncoder();
  return function check(call) {
    const started = performance.now();
    try {
      const request = decode(call.message);
      const facts = isRefusal(request) ? request : toFacts(request, options.descriptors);
      const deciding = performance.now();
      const decision = options.pipeline.decide(facts, { deadline: call.deadline });
      const answer = (settled: Decision) => {
        const answering = performance.now();
        // It may be that nobody waits any more: the call was cancelled while keys were fetched. It is told all the same.
        if (!call.cancelled) call.answer(encode(settled, isRefusal(facts) ? [] : facts.forgedHeaders));
        const ended = performance.now();
        observe(options, settled, request, facts, {
          facts: nanoseconds(deciding - started),
          response: nanoseconds(ended - answering),
          total: nanoseconds(ended - started),
        });
      };
      if (decision instanceof Promise) decision.then(answer).catch((error) => defect(options, call, error));
      else answer(decision);
    } catch (error) {
      defect(options, call, error);
    }
  };
}

function decode(message: Buffer): CheckRequest | Refusal<'request_malformed'> {
  try {
    return decodeCheckRequest(message);
  } catch {
    return refuse('request_malformed', 'not a CheckRequest');
  }
}

function observe(
  { observe, onDefect }: AuthorizationOptions,
  decision: Decision,
  request: CheckRequest | Refusal<'request_malformed'>,
  facts: RequestFacts | Refusal<ReasonCode>,
  durations: Observation['durations'],
): void {
  try {
    if (!isRefusal(facts)) observe({ decision, durations, facts });
    else if (!isRefusal(request)) observe({ decision, durations, trace: traceOf(request) });
    else observe({ decision, durations });
  } catch (error) {
    onDefect(error);
  }
}

function nanoseconds(milliseconds: number): number {
  return Math.round(milliseconds * 1e6);
}

function defect(options: AuthorizationOptions, call: UnaryCall, error: unknown): void {
  call.answer(DEFECT);
  options.onDefect(error);
}

/** Made ahead, so that nothing about it can fail when it is needed. */
const DEFECT = encodeCheckResponse({
  status: { code: GRPC.INTERNAL, message: 'internal_error' },
  deniedResponse: {
    status: { code: 403 },
    headers: [],
    body: '{"error":"access_denied","reason":"internal_error"}',
  },
});
