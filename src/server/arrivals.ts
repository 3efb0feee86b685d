import { constants, type ServerHttp2Stream } from 'node:http2';

export interface ArrivalLimits {
  /** Milliseconds that a request may take to arrive, and its answer to be taken. */
  readonly time: number;
  /** Bytes of all requests together that may wait for their end. */
  readonly bytes: number;
}

/**
 * The requests that are on their way, or whose answer is. Each one alone is bounded by its length; this bounds them all together, in
 * bytes and in time: a caller may open thousands of streams, send nearly all of each, and never end one.
 */
export class Arrivals {
  private held = 0;
  /** From the oldest to the youngest. Milliseconds of a clock that nobody sets. */
  private readonly since = new Map<ServerHttp2Stream, number>();

  constructor(private readonly limits: ArrivalLimits) {}

  expect(stream: ServerHttp2Stream): void {
    this.since.set(stream, performance.now());
  }

  /** Nothing more will come of it, or it is one that may last. */
  settled(stream: ServerHttp2Stream): void {
    this.since.delete(stream);
  }

  /** @returns whether there is room for so many bytes; they are held then, until they are released */
  hold(bytes: number): boolean {
    if (this.held + bytes > this.limits.bytes) return false;
    this.held += bytes;
    return true;
  }

  release(bytes: number): void {
    this.held -= bytes;
  }

  /** Ends what has taken too long. A stream without an answer is reset, which its caller takes as an error. */
  sweep(): void {
    const before = performance.now() - this.limits.time;
    for (const [stream, began] of this.since) {
      if (began > before) break;
      this.since.delete(stream);
      stream.close(constants.NGHTTP2_CANCEL);
    }
  }
}
