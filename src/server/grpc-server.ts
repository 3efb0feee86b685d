import { createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { createServer as createNetServer, type Server as NetServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
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
import type { Client } from './clients.js';
import { cutOff, limitAge, type ConnectionAge } from './connection-age.js';
import { sayFarewell } from './farewell.js';
import { Health } from './health.js';
import { listenOn, type ListenOptions } from './listener.js';
import { Liveness } from './liveness.js';
import { createMutualTls, type MutualTlsOptions } from './mutual-tls.js';
import { SecuredStream } from './secured-stream.js';
import { leaveNoTrail } from './session-tables.js';
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

/** Milliseconds between two looks whether the clients that are connected are still accepted. */
const REVIEW = 1_000;

/** Milliseconds: how long a request may take to arrive and its answer to be taken, and how often what hangs is looked for. */
const UPKEEP = 30_000;

export interface GrpcServerOptions extends Partial<ListenOptions> {
  /**
   * `host:port` (port 0 picks one) or `unix:///absolute/path`. Left out, it listens nowhere: its connections are
   * given to {@link GrpcServer.take}.
   */
  readonly address?: string;
  /** Default: connections are served as they come, in the clear. */
  readonly tls?: EndpointTls | undefined;
  /** Default: connections may live for ever. */
  readonly age?: ConnectionAge | undefined;
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

export interface EndpointTls extends MutualTlsOptions {
  /** Milliseconds that calls have to finish when their client is accepted no more. */
  readonly grace: number;
}

export interface GrpcServer {
  /** Where it listens, the port that was picked included; empty where it does not. */
  readonly address: string;
  /** Serves a connection that another process accepted. */
  take(socket: Socket): void;
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
 * @throws Error that names the key to mend, when the address cannot be bound
 */
export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const { address, age, upkeep = UPKEEP, maxArriving = MAX_ARRIVING, maxWaiting = MAX_WAITING } = options;
  const arrivals = new Arrivals(maxArriving);
  const liveness = new Liveness();
  const health = new Health(SERVICE, arrivals);
  const server = createServer({
    settings: { maxConcurrentStreams: MAX_STREAMS, initialWindowSize: 1024 * 1024, enablePush: false },
  });
  const sessions = new Map<ServerHttp2Session, Duplex>();
  const door = options.tls && createDoor(options.tls, server, sessions, leave);
  let arriving: Duplex | undefined;
  server.prependListener('connection', (socket: Duplex) => (arriving = socket));
  server.on('session', (session) => {
    // Sessions are made while their connection is told of.
    const socket = arriving!;
    leaveNoTrail(session);
    session.setLocalWindowSize(WINDOW);
    session.on('error', ignore);
    session.on('close', () => sessions.delete(session));
    sessions.set(session, socket);
    liveness.watch(session);
    if (age !== undefined) limitAge(session, age, () => leave(session, socket));
  });
  const limits: CallLimits = {
    maxMessageBytes: MAX_REQUEST_BYTES,
    turns: new Turns(maxWaiting),
    ...(options.onDrop && { onDrop: options.onDrop }),
  };
  server.on('stream', (stream, headers) => route(stream, headers, options.check, limits, health, arrivals));

  function leave(session: ServerHttp2Session, socket: Duplex): void {
    health.leave(session);
    sayFarewell(session, socket);
  }

  const listener: NetServer = door ? createNetServer((socket) => door.take(socket)) : server;
  const bound = address === undefined ? '' : await listenOn(listener, { ...options, address });
  const sweep = setInterval(() => {
    arrivals.sweep();
    liveness.sweep(sessions.keys());
  }, upkeep);
  sweep.unref();

  return {
    address: bound,
    take: door ? (socket) => door.take(socket) : (socket) => void server.emit('connection', socket),
    setServing: (serving) => health.set(serving),
    async drain(grace) {
      health.set(false);
      health.close();
      door?.close();
      return close(listener, sessions, grace).finally(() => {
        clearInterval(sweep);
        door?.stopReviews();
      });
    },
  };
}

/**
 * Lets those in who prove that they may ask, and shows those out who may no more: a connection outlives the handshake
 * by hours, and what was proved there does not.
 */
function createDoor(
  tls: EndpointTls,
  server: Http2Server,
  sessions: ReadonlyMap<ServerHttp2Session, Duplex>,
  leave: (session: ServerHttp2Session, socket: Duplex) => void,
) {
  const clients = new WeakMap<Duplex, Client>();
  const door = createMutualTls(tls, (socket, client) => {
    const stream = new SecuredStream(socket);
    clients.set(stream, client);
    server.emit('connection', stream);
  });
  const reviews = setInterval(() => {
    for (const [session, socket] of sessions) {
      const refusal = clients.get(socket)?.fault();
      if (refusal === undefined) continue;
      // Once: what follows takes its course.
      clients.delete(socket);
      tls.onRefusal(refusal);
      leave(session, socket);
      cutOff(session, tls.grace);
    }
  }, REVIEW);
  reviews.unref();
  return { ...door, stopReviews: () => clearInterval(reviews) };
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

/** No new connection and no new call; those under way have `grace` milliseconds. */
async function close(
  server: NetServer,
  sessions: ReadonlyMap<ServerHttp2Session, Duplex>,
  grace: number,
): Promise<boolean> {
  if (server.listening) server.close();
  const closed = [...sessions.keys()].map(
    (session) => new Promise<void>((resolve) => session.once('close', resolve)),
  );
  let timer: NodeJS.Timeout | undefined;
  const cut = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => {
      for (const session of sessions.keys()) session.destroy();
      resolve(false);
    }, grace);
  });
  for (const [session, socket] of sessions) sayFarewell(session, socket);
  const finished = await Promise.race([Promise.all(closed).then(() => true), cut]);
  clearTimeout(timer);
  return finished;
}
