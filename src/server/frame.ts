import { gunzipSync, inflateSync } from 'node:zlib';
import { STATUS, type GrpcFault } from './status.js';

/** Bytes before each message: whether it is compressed, and its length (gRPC over HTTP/2, "Length-Prefixed-Message"). */
const PREFIX = 5;

/** Puts a message, uncompressed, behind its prefix. */
export function frame(message: Buffer): Buffer {
  const out = Buffer.allocUnsafe(PREFIX + message.length);
  out[0] = 0;
  out.writeUInt32BE(message.length, 1);
  message.copy(out, PREFIX);
  return out;
}

/**
 * The one message of a unary request.
 *
 * @param encoding the request's `grpc-encoding`
 * @param limit bytes, decompressed
 */
export function unframe(body: Buffer, encoding: string | undefined, limit: number): Buffer | GrpcFault {
  if (body.length < PREFIX) return fault(STATUS.INTERNAL, 'the request holds no whole message');
  const length = body.readUInt32BE(1);
  if (length > limit) return tooLarge(limit);
  if (body.length !== PREFIX + length) return fault(STATUS.INTERNAL, 'the request does not hold one message');
  const message = body.subarray(PREFIX);
  if (body[0] === 0) return message;
  try {
    if (encoding === 'gzip') return gunzipSync(message, { maxOutputLength: limit });
    if (encoding === 'deflate') return inflateSync(message, { maxOutputLength: limit });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') return tooLarge(limit);
    return fault(STATUS.INTERNAL, 'the message cannot be decompressed');
  }
  return fault(STATUS.UNIMPLEMENTED, 'the message is compressed in a way that is not supported');
}

export function tooLarge(limit: number): GrpcFault {
  return fault(STATUS.RESOURCE_EXHAUSTED, `the request is larger than ${limit} bytes`);
}

function fault(status: number, message: string): GrpcFault {
  return { status, message };
}

const UNITS: { readonly [unit: string]: number } = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
};

/** Milliseconds that a `grpc-timeout` gives (gRPC over HTTP/2, "Timeout"); Infinity without one. */
export function readTimeout(header: string | undefined): number | GrpcFault {
  if (header === undefined) return Number.POSITIVE_INFINITY;
  const match = /^([0-9]{1,8})([HMSmun])$/.exec(header);
  if (match === null) return fault(STATUS.INTERNAL, 'grpc-timeout is malformed');
  return Number(match[1]) * UNITS[match[2]!]!;
}
