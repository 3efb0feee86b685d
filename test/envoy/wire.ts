import { authorizationService } from '../../src/server/proto.js';
import { encodeCheckResponse } from '../../src/envoy/encode-response.js';
import type { CheckRequest, CheckResponse, OutgoingCheckResponse } from '../../src/envoy/messages.js';

const check = authorizationService['Check']!;

/** The request as the server sees it once it has been on the wire. */
export function received(request: CheckRequest): CheckRequest {
  return check.requestDeserialize(check.requestSerialize(request)) as CheckRequest;
}

/** The answer's bytes. */
export function bytes(response: OutgoingCheckResponse): Buffer {
  return encodeCheckResponse(response);
}

/** The answer as Envoy sees it. */
export function sent(response: OutgoingCheckResponse): CheckResponse {
  return check.responseDeserialize(bytes(response)) as CheckResponse;
}
