import type { ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import type { Decision } from '../decision/decision.js';
import type { RequestFacts } from '../decision/facts.js';
import type { Pipeline } from '../decision/pipeline.js';
import { GRPC, type ReasonCode } from '../decision/reasons.js';
import { toFacts, traceOf } from '../envoy/facts.js';
import type { GrpcDescriptors } from '../envoy/grpc-body.js';
import type { CheckRequest, CheckResponse } from '../envoy/messages.js';
import { toCheckResponse } from '../envoy/response.js';
import { isRefusal, type Refusal } from '../errors/refusal.js';
import type { Observation } from '../telemetry/observation.js';

export interface AuthorizationOptions {
  readonly pipeline: Pipeline;
  /** Of the gRPC services whose messages policies may see. */
  readonly descriptors?: GrpcDescriptors | undefined;
  /** Called after the answer has been handed over. What it throws is its own affair and changes no answer. */
  readonly observe: (observation: Observation) => void;
  /** Told of a defect: an exception that reached this far. */
  readonly onDefect: (error: unknown) => void;
}

type CheckCall = Pick<ServerUnaryCall<CheckRequest, CheckResponse>, 'request' | 'cancelled' | 'getDeadline'>;

/**
 * `envoy.service.auth.v3.Authorization/Check`. Every call is answered with an explicit status; an exception
 * anywhere is a denial, since Envoy reads an empty CheckResponse as allow.
 */
export function createAuthorization(options: AuthorizationOptions) {
  return function check(call: CheckCall, callback: sendUnaryData<CheckResponse>): void {
    const started = process.hrtime.bigint();
    try {
      const facts = toFacts(call.request, options.descriptors);
      const factsDone = process.hrtime.bigint();
      const decision = options.pipeline.decide(facts, { deadline: milliseconds(call.getDeadline()) });
      const answer = (settled: Decision) => {
        respond(options, call, callback, settled, facts, started, factsDone);
      };
      if (decision instanceof Promise)
        decision.then(answer).catch((error) => defect(options, callback, error));
      else answer(decision);
    } catch (error) {
      defect(options, callback, error);
    }
  };
}

function respond(
  options: AuthorizationOptions,
  call: CheckCall,
  callback: sendUnaryData<CheckResponse>,
  decision: Decision,
  facts: RequestFacts | Refusal<ReasonCode>,
  started: bigint,
  factsDone: bigint,
): void {
  const decided = process.hrtime.bigint();
  // It may be that nobody waits any more: the call was cancelled while keys were fetched. It is told all the same.
  if (!call.cancelled) callback(null, toCheckResponse(decision));
  const ended = process.hrtime.bigint();
  try {
    options.observe({
      decision,
      ...(isRefusal(facts) ? { trace: traceOf(call.request) } : { facts }),
      durations: {
        facts: Number(factsDone - started),
        response: Number(ended - decided),
        total: Number(ended - started),
      },
    });
  } catch (error) {
    options.onDefect(error);
  }
}

function defect(options: AuthorizationOptions, callback: sendUnaryData<CheckResponse>, error: unknown): void {
  callback(null, {
    status: { code: GRPC.INTERNAL, message: 'internal_error' },
    deniedResponse: {
      status: { code: 403 },
      headers: [],
      body: '{"error":"access_denied","reason":"internal_error"}',
    },
  });
  options.onDefect(error);
}

/** grpc-js gives a Date, a number, or Infinity where the caller set no `grpc-timeout`. */
function milliseconds(deadline: Date | number): number {
  return deadline instanceof Date ? deadline.getTime() : deadline;
}
