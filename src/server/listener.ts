import { chmod, stat, unlink } from 'node:fs/promises';
import { connect, type AddressInfo, type Server } from 'node:net';

/**
 * Lets a server listen where `listen.grpc` says.
 *
 * @param address `host:port` (port 0 picks one) or `unix:///absolute/path`
 * @returns where it listens, the port that was picked included
 * @throws Error that names `listen.grpc`, when the address cannot be bound
 */
export async function listenOn(server: Server, address: string): Promise<string> {
  const socket = socketPath(address);
  if (socket !== undefined) await removeStaleSocket(socket);
  const port = await listen(server, address, socket);
  // Whoever may connect may ask for decisions: the owner and the group, as a sidecar's volume is shared.
  if (socket !== undefined) await chmod(socket, 0o660);
  return socket === undefined ? address.replace(/:\d+$/, `:${port}`) : address;
}

function listen(server: Server, address: string, socket: string | undefined): Promise<number> {
  return new Promise((resolve, reject) => {
    // It stays: a connection that could not be accepted later is an error of the server, too, and ends nothing.
    server.on('error', (error) =>
      reject(new Error(`listen.grpc: cannot listen on ${address}: ${error.message}`, { cause: error })),
    );
    const listening = () => resolve((server.address() as AddressInfo | null)?.port ?? 0);
    // libuv takes the socket's file away when it stops listening; whatever is there later is somebody else's.
    if (socket !== undefined) return void server.listen(socket, listening);
    const colon = address.lastIndexOf(':');
    const host = address.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
    server.listen(Number(address.slice(colon + 1)), host, listening);
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
