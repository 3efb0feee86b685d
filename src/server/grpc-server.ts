import { chmod, stat, unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { Server, ServerCredentials, type UntypedHandleCall } from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';
import { authorizationService } from './proto.js';

const SERVICE = 'envoy.service.auth.v3.Authorization';

export interface GrpcServerOptions {
  /** `host:port` (port 0 picks one) or `unix:///absolute/path`. */
  readonly address: string;
  readonly check: UntypedHandleCall;
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
 * Starts the gRPC side.
 *
 * @throws Error that names `listen.grpc`, when the address cannot be bound
 */
export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  // channelz stays on: grpc-js 1.14 knows the sessions that forceShutdown has to end from it alone.
  const server = new Server({ 'grpc.max_receive_message_length': MAX_REQUEST_BYTES });
  server.addService(authorizationService, { Check: options.check });
  const health = new HealthImplementation({ '': 'NOT_SERVING', [SERVICE]: 'NOT_SERVING' });
  health.addToServer(server);
  const setServing = (serving: boolean) => {
    for (const name of ['', SERVICE]) health.setStatus(name, serving ? 'SERVING' : 'NOT_SERVING');
  };

  const socket = socketPath(options.address);
  if (socket !== undefined) await removeStaleSocket(socket);
  const port = await bind(server, options.address);
  // Whoever may connect may ask for decisions: the owner and the group, as a sidecar's volume is shared.
  if (socket !== undefined) await chmod(socket, 0o660);

  return {
    address: socket === undefined ? options.address.replace(/:\d+$/, `:${port}`) : options.address,
    setServing,
    async drain(grace) {
      setServing(false);
      // libuv takes the socket's file away when it stops listening; whatever is there later is somebody else's.
      return shutdown(server, grace);
    },
  };
}

/** Room for a buffered body: Envoy's own default buffer limit is 1 MiB. */
const MAX_REQUEST_BYTES = 8 * 1024 * 1024;

function bind(server: Server, address: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) => {
      if (error) reject(new Error(`listen.grpc: cannot listen on ${address}: ${error.message}`));
      else resolve(port);
    });
  });
}

/** grpc-js's tryShutdown can wait for ever on a client that is gone: it gets a deadline. */
function shutdown(server: Server, grace: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      server.forceShutdown();
      resolve(false);
    }, grace);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve(true);
    });
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
