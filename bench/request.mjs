import { checkRequest } from '../dist/demo/ask-grpc.js';
import { authorizationService } from '../dist/server/proto.js';

const { Check } = authorizationService;

export const { path } = Check;

/** A CheckRequest as it stands in a gRPC call: not compressed, then the length, then the message. */
export function framed(asked) {
  const bytes = Check.requestSerialize(checkRequest(asked));
  const prefix = Buffer.alloc(5); // gRPC over HTTP/2, "Length-Prefixed-Message"
  prefix.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([prefix, bytes]);
}

/** The status of an answer, framed: its message is the reason. */
export const statusOf = (answer) => Check.responseDeserialize(answer.subarray(5)).status;
