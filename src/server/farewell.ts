import type { ServerHttp2Session } from 'node:http2';
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

/**
 * Ends a connection without losing a call, as RFC 9113 section 6.8 has it: a first GOAWAY that refuses nothing
 * asks the peer to open no more streams, and only when it has read that (a ping after it came back) a second one
 * says which stream was the last. With the second alone, a call that was on its way would be refused, and Envoy's
 * ext_authz does not ask again: it denies. Streams that are open finish by themselves.
 *
 * @param socket the session's own. Both write whole frames, and writes to a socket are taken in order.
 */
export function sayFarewell(session: ServerHttp2Session, socket: Duplex): void {
  if (session.closed || session.destroyed) return;
  const close = () => {
    clearTimeout(timer);
    if (!session.closed && !session.destroyed) session.close();
  };
  const timer = setTimeout(close, ROUND_TRIP);
  timer.unref();
  session.once('close', () => clearTimeout(timer));
  socket.write(NOTICE);
  // False: so many pings are unanswered that another one is not taken.
  if (!session.ping(close)) close();
}
