import type { ServerHttp2Stream } from 'node:http2';
import type { Arrival, Arrivals } from './arrivals.js';
import { frame, readTimeout, tooLarge, unframe } from './frame.js';
import { STATUS, type GrpcFault } from './status.js';
import type { Turns, Waiting } from './turns.js';

/** One unary call that has arrived whole. */
export interface UnaryCall {
  readonly message: Buffer;
  /** Milliseconds since the epoch at which the caller stops waiting; Infinity when it never does. */
  readonly deadline: number;
  /** Whether nobody waits any more: the caller gave up, or its connection is gone. */
  readonly cancelled: boolean;
  /** Answers with a message of the response's type. The first answer counts; one that nobody waits for is dropped. */
  answer(message: Buffer): void;
}

export type UnaryMethod = (call: UnaryCall) => void;

export interface CallLimits {
  /** Bytes of one message, decompressed. */
  readonly maxMessageBytes: number;
  /** Who is served when; without it each call is served as it comes. */
  readonly turns?: Turns;
  /** A call that was never looked at, and why. */
  readonly onDrop?: (cause: CallDrop) => void;
}

/**
 * Why a call is not looked at.
 *
 * - `cancelled`: its caller gave up while it waited for its turn;
 * - `deadline`: its caller's time was over before it was its turn;
 * - `overload`: too many wait already.
 */
export type CallDrop = 'cancelled' | 'deadline' | 'overload';

/** The request's headers, as node:http2 has them. */
export interface CallHeaders {
  readonly [name: string]: string | string[] | undefined;
}

const ANSWER = { ':status': 200, 'content-type': 'application/grpc' };
/** All that node:http2 sets itself is here: what it adds to a copy is a hidden class for each answer, 160 bytes that live long. */
const WAIT = { endStream: false, waitForTrailers: true, sendDate: false };
const TRAILERS = { 'grpc-status': '0' };

/**
 * One unary call over one stream. A class with its listeners on the prototype: a closure for each of them, at
 * each request, would be half of what the call costs.
 */
export class StreamCall implements UnaryCall, Waiting {
  message: Buffer = EMPTY;
  deadline = Number.POSITIVE_INFINITY;
  private chunks: Buffer[] | undefined;
  private received = 0;
  /** Bytes of what was received that count against what all may hold. */
  private held = 0;
  private answered = false;
  /** Its request is here, and it is not its turn yet. */
  private waits = false;
  private timer: NodeJS.Timeout | undefined;
  private readonly arrival: Arrival;

  constructor(
    private readonly stream: ServerHttp2Stream & { call?: StreamCall | undefined },
    private headers: CallHeaders,
    private readonly method: UnaryMethod,
    private readonly limits: CallLimits,
    private readonly arrivals: Arrivals,
  ) {
    stream.call = this;
    this.arrival = arrivals.expect(stream);
    stream.on('data', onData);
    stream.on('end', onEnd);
    stream.on('close', onClose);
    stream.on('error', ignore);
  }

  get cancelled(): boolean {
    return isOver(this.stream) || this.stream.aborted;
  }

  take(chunk: Buffer): void {
    if (this.answered) return;
    this.received += chunk.length;
    // The prefix of a message that may be as long as the limit.
    if (this.received > this.limits.maxMessageBytes + 5) {
      this.fail(tooLarge(this.limits.maxMessageBytes));
      return;
    }
    if (!this.arrivals.hold(chunk.length)) {
      this.fail({ status: STATUS.RESOURCE_EXHAUSTED, message: 'too much of other requests is waiting' });
      return;
    }
    this.held += chunk.length;
    if (this.chunks === undefined) this.chunks = [chunk];
    else this.chunks.push(chunk);
  }

  /** The request is here. */
  begin(): void {
    if (this.answered) return this.release();
    const timeout = this.headers['grpc-timeout'];
    if (timeout !== undefined) {
      const left = readTimeout(typeof timeout === 'string' ? timeout : '');
      if (typeof left !== 'number') return this.fail(left);
      this.deadline = Date.now() + left;
    }
    const { turns } = this.limits;
    this.waits = true;
    if (turns === undefined) return this.run();
    if (!turns.offer(this.stream.session ?? this.stream, this)) {
      this.drop('overload');
      this.fail({ status: STATUS.UNAVAILABLE, message: 'too many requests are waiting' });
    } else if (this.waits && this.deadline !== Number.POSITIVE_INFINITY) this.limitTime();
  }

  /** It is its turn. */
  run(): void {
    if (!this.waits) return;
    if (this.cancelled) return this.drop('cancelled');
    if (this.timer !== undefined && Date.now() >= this.deadline) return this.tooLate();
    this.waits = false;
    const { chunks } = this;
    this.release();
    const body = chunks === undefined ? EMPTY : chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
    const encoding = this.headers['grpc-encoding'];
    const message = unframe(
      body,
      typeof encoding === 'string' ? encoding : undefined,
      this.limits.maxMessageBytes,
    );
    if (!Buffer.isBuffer(message)) return this.fail(message);
    this.message = message;
    this.method(this);
    if (!this.answered && this.timer === undefined && this.deadline !== Number.POSITIVE_INFINITY)
      this.limitTime();
  }

  private drop(cause: CallDrop): void {
    this.waits = false;
    this.limits.onDrop?.(cause);
  }

  private tooLate(): void {
    if (this.waits) this.drop('deadline');
    this.fail({ status: STATUS.DEADLINE_EXCEEDED, message: 'the deadline has passed' });
  }

  /** A call that has its answer later: at its deadline it has one all the same. */
  private limitTime(): void {
    const left = Math.min(Math.max(0, this.deadline - Date.now()), 2 ** 31 - 1);
    this.timer = setTimeout(() => this.tooLate(), left);
  }

  /**
   * Nobody waits any more, answered or not. Node may keep a stream for a while after it is closed: it is not to keep the
   * request as well.
   */
  end(): void {
    clearTimeout(this.timer);
    if (this.waits) this.drop('cancelled');
    this.arrivals.settled(this.arrival);
    this.release();
    this.stream.call = undefined;
    this.message = EMPTY;
    this.headers = NO_HEADERS;
  }

  private release(): void {
    this.arrivals.release(this.held);
    this.held = 0;
    this.chunks = undefined;
  }

  answer(message: Buffer): void {
    const { stream } = this;
    if (!this.settle()) return;
    stream.respond(ANSWER, WAIT);
    stream.on('wantTrailers', sendTrailers);
    stream.end(frame(message));
  }

  /** Ends the call with a status and no message ("Trailers-Only"). */
  fail({ status, message }: GrpcFault): void {
    if (!this.settle()) return;
    this.release();
    respondWithFault(this.stream, { status, message });
  }

  private settle(): boolean {
    if (this.answered || this.cancelled) return false;
    this.answered = true;
    clearTimeout(this.timer);
    return true;
  }
}

const EMPTY = Buffer.alloc(0);
const NO_HEADERS: CallHeaders = {};

function onData(this: { call?: StreamCall | undefined }, chunk: Buffer): void {
  this.call?.take(chunk);
}

function onEnd(this: { call?: StreamCall | undefined }): void {
  this.call?.begin();
}

function onClose(this: { call?: StreamCall | undefined }): void {
  this.call?.end();
}

function sendTrailers(this: ServerHttp2Stream): void {
  this.sendTrailers(TRAILERS);
}

/** A stream that broke has nobody to tell; its session lives on. */
export function ignore(): void {}

/**
 * Whether a stream takes no answer any more. After RST_STREAM with NO_ERROR it still tells of the request's end, and
 * throws at whoever answers that.
 */
export function isOver(stream: ServerHttp2Stream): boolean {
  return stream.destroyed || stream.closed;
}

/** Ends a stream that has not been answered with a gRPC status alone. */
export function respondWithFault(stream: ServerHttp2Stream, { status, message }: GrpcFault): void {
  if (isOver(stream) || stream.headersSent) return;
  stream.respond(
    {
      ':status': 200,
      'content-type': 'application/grpc',
      'grpc-status': String(status),
      'grpc-message': encodeURI(message),
    },
    { endStream: true },
  );
  // What still comes of the request is not wanted.
  if (!stream.readableEnded) stream.resume();
}
