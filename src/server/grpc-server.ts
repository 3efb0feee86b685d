import { chmod, stat, unlink } from 'node:fs/promises';
import { createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { connect, type AddressInfo } from 'node:net';
import { Arrivals } from './arrivals.js';
import {
  ignore,
  isOver,
  respondWithFault,
  StreamCall,
  type CallDrop,
  type CallHeaders,
  type CallLimits,
  type UnaryMethod,
} from './call.js';
import { Health } from './health.js';
import { Liveness } from './liveness.js';
import { STATUS } from './status.js';
import { Turns } from './turns.js';

const SERVICE = 'envoy.service.auth.v3.Authorization';

/** Room for a buffered body: Envoy's own default buffer limit is 1 MiB. */
const MAX_REQUEST_BYTES = 8 * 1024 * 1024;

/** Requests that one connection may have under way. Envoy opens another connection for more. */
const MAX_STREAMS = 4096;

/** Bytes that a connection may have on their way to us: a body must not wait for leave after each 64 KiB. */
const WINDOW = 4 * 1024 * 1024;

/** Bytes that requests may hold together before they are whole. */
const MAX_ARRIVING = 256 * 1024 * 1024;

/** Requests that may wait for their turn together. Serving that many takes longer than callers wait. */
const MAX_WAITING = 10_000;

/** Milliseconds: how long a request may take to arrive and its answer to be taken, and how often what hangs is looked for. */
const UPKEEP = 30_000;

export interface GrpcServerOptions {
  /** `host:port` (port 0 picks one) or `unix:///absolute/path`. */
  readonly address: string;
  readonly check: UnaryMethod;
  /**
   * Milliseconds that a call may last, and a connection may take to answer a ping; found out within twice that.
   * Default 30 seconds.
   */
  readonly upkeep?: number;
  /** Bytes that requests may hold together before they are whole. Default 256 MiB. */
  readonly maxArriving?: number;
  /** Requests that may wait for their turn. Default 10,000. */
  readonly maxWaiting?: number;
  /** A request was not looked at, and why. */
  readonly onDrop?: (cause: CallDrop) => void;
}

export interface GrpcServer {
  /** Where it listens, the port that was picked included. */
  readonly address: string;
  /** grpc.health.v1 for the service and for the server as a whole. */
  setServing(serving: boolean): void;
  /**
   * Says NOT_SERVING, lets the calls in flight finish, and closes. What is not done after `grace`
   * milliseconds is cut off: its caller gets an error, which Envoy takes as a denial.
   *
   * @returns whether every call finished by itself
   */
  drain(grace: number): Promise<boolean>;
}

/**
 * Starts the gRPC side: unary calls straight over node:http2 (docs/decisions/0009-unary-calls-over-http2.md).
 *
 * @throws Error that names `listen.grpc`, when the address cannot be bound
 */
export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const { upkeep = UPKEEP, maxArriving = MAX_ARRIVING, maxWaiting = MAX_WAITING } = options;
  const arrivals = new Arrivals(maxArriving);
  const liveness = new Liveness();
  const health = new Health(SERVICE, arrivals);
  const server = createServer({
    settings: { maxConcurrentStreams: MAX_STREAMS, initialWindowSize: 1024 * 1024, enablePush: false },
  });
  const sessions = new Set<ServerHttp2Session>();
  server.on('session', (session) => {
    session.setLocalWindowSize(WINDOW);
    session.on('error', ignore);
    session.on('close', () => sessions.delete(session));
    sessions.add(session);
    liveness.watch(session);
  });
  const limits: CallLimits = {
    maxMessageBytes: MAX_REQUEST_BYTES,
    turns: new Turns(maxWaiting),
    ...(options.onDrop && { onDrop: options.onDrop }),
  };
  server.on('stream', (stream, headers) => route(stream, headers, options.check, limits, health, arrivals));

  const socket = socketPath(options.address);
  if (socket !== undefined) await removeStaleSocket(socket);
  const port = await listen(server, options.address, socket);
  // Whoever may connect may ask for decisions: the owner and the group, as a sidecar's volume is shared.
  if (socket !== undefined) await chmod(socket, 0o660);
  const sweep = setInterval(() => {
    arrivals.sweep();
    liveness.sweep(sessions);
  }, upkeep);
  sweep.unref();

  return {
    address: socket === undefined ? options.address.replace(/:\d+$/, `:${port}`) : options.address,
    setServing: (serving) => health.set(serving),
    async drain(grace) {
      health.set(false);
      health.close();
      // libuv takes the socket's file away when it stops listening; whatever is there later is somebody else's.
      return close(server, sessions, grace).finally(() => clearInterval(sweep));
    },
  };
}

function route(
  stream: ServerHttp2Stream,
  headers: CallHeaders,
  check: UnaryMethod,
  limits: CallLimits,
  health: Health,
  arrivals: Arrivals,
): void {
  const type = headers['content-type'];
  if (headers[':method'] !== 'POST' || typeof type !== 'string' || !type.startsWith('application/grpc')) {
    discard(stream, arrivals);
    if (!isOver(stream)) stream.respond({ ':status': 415 }, { endStream: true });
    return;
  }
  switch (headers[':path']) {
    case `/${SERVICE}/Check`:
      new StreamCall(stream, headers, check, limits, arrivals);
      return;
    case '/grpc.health.v1.Health/Check': {
      const call: StreamCall = new StreamCall(
        stream,
        headers,
        () => {
          const fault = health.check(call);
          if (fault) call.fail(fault);
        },
        // Out of turn: whoever asks how the server is must not take a crowd for its death.
        { maxMessageBytes: limits.maxMessageBytes },
        arrivals,
      );
      return;
    }
    case '/grpc.health.v1.Health/Watch':
      health.watch(stream);
      return;
    default:
      discard(stream, arrivals);
      respondWithFault(stream, { status: STATUS.UNIMPLEMENTED, message: 'no such method' });
  }
}

/** What comes of a request that nobody reads would use up the connection's window, and it has to end, too. */
function discard(stream: ServerHttp2Stream, arrivals: Arrivals): void {
  const arrival = arrivals.expect(stream);
  stream.on('error', ignore);
  stream.once('close', () => arrivals.settled(arrival));
  stream.resume();
}

function listen(server: Http2Server, address: string, socket: string | undefined): Promise<number> {
  return new Promise((resolve, reject) => {
    // It stays: a connection that could not be accepted later is an error of the server, too, and ends nothing.
    server.on('error', (error) =>
      reject(new Error(`listen.grpc: cannot listen on ${address}: ${error.message}`, { cause: error })),
    );
    const listening = () => resolve((server.address() as AddressInfo | null)?.port ?? 0);
    if (socket !== undefined) return void server.listen(socket, listening);
    const colon = address.lastIndexOf(':');
    const host = address.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
    server.listen(Number(address.slice(colon + 1)), host, listening);
  });
}

/** No new connection and no new call; those under way have `grace` milliseconds. */
function close(server: Http2Server, sessions: Set<ServerHttp2Session>, grace: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      for (const session of sessions) session.destroy();
      resolve(false);
    }, grace);
    server.close(() => {
      clearTimeout(timer);
      resolve(true);
    });
    for (const session of sessions) session.close();
  });
}

function socketPath(address: string): string | undefined {
  return address.startsWith('unix:') ? address.slice('unix:'.length).replace(/^\/\//, '') : undefined;
}

/** A socket file outlives a process that was killed; one that answers belongs to somebody. */
async function removeStaleSocket(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket()) throw new Error(`listen.grpc: ${path} exists and is not a socket`);
  if (await answers(path)) throw new Error(`listen.grpc: another process listens on ${path}`);
  await unlink(path);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'));
  });
}
