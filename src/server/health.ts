import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { Arrivals } from './arrivals.js';
import { frame, unframe } from './frame.js';
import { ignore, isOver, respondWithFault, type UnaryCall } from './call.js';
import { STATUS } from './status.js';

/** grpc.health.v1.HealthCheckResponse.ServingStatus */
const SERVING = 1;
const NOT_SERVING = 2;
const SERVICE_UNKNOWN = 3;

/** Bytes: the name of a service. */
const MOST_BYTES = 1024;

/**
 * grpc.health.v1.Health for one service and, under the empty name, for the server as a whole. Its two messages
 * have one field each, so they are read and written here.
 */
export class Health {
  private serving = false;
  private closed = false;
  private readonly watchers = new Map<ServerHttp2Stream, string>();

  constructor(
    private readonly service: string,
    private readonly arrivals: Arrivals,
  ) {}

  set(serving: boolean): void {
    if (serving === this.serving) return;
    this.serving = serving;
    for (const [stream, name] of this.watchers) stream.write(frame(response(this.statusOf(name))));
  }

  /** `Check`: one status. */
  check(call: UnaryCall): { status: number; message: string } | undefined {
    const name = serviceName(call.message);
    if (name === undefined) return { status: STATUS.INTERNAL, message: 'not a HealthCheckRequest' };
    const status = this.statusOf(name);
    if (status === SERVICE_UNKNOWN) return { status: STATUS.NOT_FOUND, message: 'no such service' };
    call.answer(response(status));
    return undefined;
  }

  /** `Watch`: the status now, and each time that it changes, until the caller ends it. */
  watch(stream: ServerHttp2Stream): void {
    const chunks: Buffer[] = [];
    let received = 0;
    stream.on('error', ignore);
    const arrival = this.arrivals.expect(stream);
    stream.on('close', () => {
      this.arrivals.settled(arrival);
      this.watchers.delete(stream);
    });
    stream.on('data', (chunk: Buffer) => {
      received += chunk.length;
      if (received <= MOST_BYTES) chunks.push(chunk);
    });
    stream.on('end', () => {
      this.arrivals.settled(arrival);
      if (isOver(stream)) return;
      if (this.closed)
        return respondWithFault(stream, { status: STATUS.UNAVAILABLE, message: 'the server is going away' });
      const message = unframe(Buffer.concat(chunks), undefined, MOST_BYTES);
      const name = Buffer.isBuffer(message) ? serviceName(message) : undefined;
      if (name === undefined)
        return respondWithFault(stream, { status: STATUS.INTERNAL, message: 'not a HealthCheckRequest' });
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': String(STATUS.UNAVAILABLE) }));
      this.watchers.set(stream, name);
      stream.write(frame(response(this.statusOf(name))));
    });
  }

  /** Ends every watch: the server is going away. */
  close(): void {
    this.closed = true;
    for (const stream of this.watchers.keys()) stream.end();
  }

  /** Ends the watches over one connection, which is to be closed: their callers watch again over another. */
  leave(session: ServerHttp2Session): void {
    for (const stream of this.watchers.keys()) if (stream.session === session) stream.end();
  }

  private statusOf(name: string): number {
    if (name !== '' && name !== this.service) return SERVICE_UNKNOWN;
    return this.serving ? SERVING : NOT_SERVING;
  }
}

/** HealthCheckResponse: field 1, a varint. */
function response(status: number): Buffer {
  return Buffer.from([0x08, status]);
}

/** HealthCheckRequest: field 1, a string, and nothing for the empty one; other fields are passed over by nobody. */
function serviceName(message: Buffer): string | undefined {
  if (message.length === 0) return '';
  const length = message[1];
  if (message[0] !== 0x0a || length === undefined || length >= 0x80) return undefined;
  return message.length === 2 + length ? message.toString('utf8', 2) : undefined;
}
