import { authorizationService } from '../../src/server/proto.js';
import type { CheckRequest, CheckResponse } from '../../src/envoy/messages.js';

const check = authorizationService['Check']!;

/** The request as the server sees it once it has been on the wire. */
export function received(request: CheckRequest): CheckRequest {
  return check.requestDeserialize(check.requestSerialize(request)) as CheckRequest;
}

/** The answer's bytes. */
export function bytes(response: CheckResponse): Buffer {
  return check.responseSerialize(response);
}

/** The answer as Envoy sees it. */
export function sent(response: CheckResponse): CheckResponse {
  return check.responseDeserialize(bytes(response)) as CheckResponse;
}
