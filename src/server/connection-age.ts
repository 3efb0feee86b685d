import type { ServerHttp2Session } from 'node:http2';

export interface ConnectionAge {
  /** Milliseconds that a connection may live, a tenth more or less. */
  readonly max: number;
  /** Milliseconds that calls then have to finish, before the connection is cut off. */
  readonly grace: number;
}

/** More than any timer can wait for. */
const LONGEST = 2 ** 31 - 1;

/**
 * gRPC's MAX_CONNECTION_AGE and MAX_CONNECTION_AGE_GRACE: a caller with a few connections that last for ever would
 * stay with the worker, or the replica, that it once met. Ages differ by up to a tenth either way, so that
 * connections that were opened together do not all come back together.
 *
 * @param farewell asks for its end
 */
export function limitAge(
  session: ServerHttp2Session,
  { max, grace }: ConnectionAge,
  farewell: () => void,
): void {
  afterwards(session, max * (0.9 + Math.random() / 5), () => {
    farewell();
    cutOff(session, grace);
  });
}

/**
 * Ends what is left of a connection that was asked to end.
 *
 * @param grace milliseconds that its calls have to finish
 */
export function cutOff(session: ServerHttp2Session, grace: number): void {
  afterwards(session, grace, () => session.destroy());
}

function afterwards(session: ServerHttp2Session, milliseconds: number, then: () => void): void {
  const timer = setTimeout(then, Math.min(milliseconds, LONGEST));
  timer.unref();
  session.once('close', () => clearTimeout(timer));
}
