import { writeSync } from 'node:fs';
import type { ServerHttp2Session } from 'node:http2';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/**
 * A GOAWAY frame that refuses nothing: its last stream is the highest that there can be (RFC 9113 section 6.8). It is
 * written here, past node:http2: after a `session.goaway()` nghttp2 reads no more as soon as no stream is open, and
 * a call that was on its way would be lost after all.
 */
const NOTICE = Buffer.from([
  ...[0, 0, 8], // length
  ...[7, 0, 0, 0, 0, 0], // GOAWAY, no flags, of the connection
  ...[0x7f, 0xff, 0xff, 0xff], // last stream
  ...[0, 0, 0, 0], // NO_ERROR
]);

/** Milliseconds that a peer may take to answer the ping; then it is told the second time all the same. */
const ROUND_TRIP = 1_000;

/** Milliseconds between two attempts to write it. */
const AGAIN = 20;

/**
 * Ends a connection without losing a call, as RFC 9113 section 6.8 has it: a first GOAWAY that refuses nothing
 * asks the peer to open no more streams, and only when it has read that (a ping after it came back) a second one
 * says which stream was the last. With the second alone, a call that was on its way would be refused, and Envoy's
 * ext_authz does not ask again: it denies. Streams that are open finish by themselves.
 *
 * @param socket the session's own
 */
export function sayFarewell(session: ServerHttp2Session, socket: Duplex): void {
  if (session.closed || session.destroyed) return;
  const close = () => {
    clearTimeout(timer);
    clearTimeout(again);
    if (!session.closed && !session.destroyed) session.close();
  };
  let again: NodeJS.Timeout | undefined;
  const timer = setTimeout(close, ROUND_TRIP);
  timer.unref();
  session.once('close', () => {
    clearTimeout(timer);
    clearTimeout(again);
  });
  const notify = () => {
    if (session.closed || session.destroyed) return;
    switch (writeNotice(socket)) {
      case 'written':
        // False: so many pings are unanswered that another one is not taken.
        if (!session.ping(close)) close();
        return;
      case 'waits':
        // Its peer has not read all that came before. One that never does is told the second time alone.
        again = setTimeout(notify, AGAIN);
        again.unref();
        return;
      case 'broken':
        session.destroy();
    }
  };
  notify();
}

/** What net keeps of a socket that is the system's: no public name tells whether all of it was taken. */
interface Handle {
  readonly fd?: number;
  readonly writeQueueSize?: number;
}

/**
 * Writes it between two frames of the session, or not at all. A session of node:http2 that has taken over a socket takes
 * every write to it that is not done at once for one of its own, and ends the process when that is done: what the system
 * does not take now has to wait out here.
 */
function writeNotice(socket: Duplex): 'written' | 'waits' | 'broken' {
  if (!(socket instanceof Socket)) {
    // A stream of ours, whose writes are taken in order.
    socket.write(NOTICE);
    return 'written';
  }
  const { fd = -1, writeQueueSize } = (socket as { _handle?: Handle | null })._handle ?? {};
  if (fd < 0 || writeQueueSize !== 0) return 'waits';
  try {
    return writeSync(fd, NOTICE) === NOTICE.length ? 'written' : 'broken';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EAGAIN' ? 'waits' : 'broken';
  }
}
