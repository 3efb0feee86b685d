import { existsSync } from 'node:fs';
import { chmod, chown, lstat, unlink } from 'node:fs/promises';
import { connect, type AddressInfo, type Server } from 'node:net';
import { dirname } from 'node:path';

/** Where a server listens. */
export interface ListenOptions {
  /** `host:port` (port 0 picks one) or `unix:///absolute/path`. */
  readonly address: string;
  /** The permissions of a Unix socket. Default 0o660. */
  readonly socketMode?: number | undefined;
  /** The group of a Unix socket, by its number. Default that of the process. */
  readonly socketGroup?: number | undefined;
}

/**
 * Lets a server listen where `listen.grpc` says.
 *
 * @returns where it listens, the port that was picked included
 * @throws Error that names the key to mend, when the address cannot be bound
 */
export async function listenOn(server: Server, options: ListenOptions): Promise<string> {
  const { address } = options;
  const path = socketPath(address);
  if (path === undefined) return address.replace(/:\d+$/, `:${await listenOnPort(server, address)}`);
  await removeStaleSocket(path);
  await listenOnSocket(server, path, address);
  try {
    const { socketMode = 0o660, socketGroup } = options;
    if (socketGroup !== undefined) await giveToGroup(path, socketGroup);
    await chmod(path, socketMode);
  } catch (error) {
    server.close();
    throw error;
  }
  return address;
}

function listenOnPort(server: Server, address: string): Promise<number> {
  return listening(server, address, () => {
    const colon = address.lastIndexOf(':');
    const host = address.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
    server.listen(Number(address.slice(colon + 1)), host);
  }).then(() => (server.address() as AddressInfo).port);
}

/**
 * Whoever may connect may ask for decisions, so there is no moment at which others may: the socket is made for its
 * owner alone, and opened to more when it belongs to whom it should. libuv takes its file away when it stops listening;
 * whatever is there later is somebody else's.
 */
function listenOnSocket(server: Server, path: string, address: string): Promise<void> {
  return listening(server, address, () => {
    const mask = process.umask(0o177);
    try {
      // It binds before it returns.
      server.listen(path);
    } finally {
      process.umask(mask);
    }
  });
}

function listening(server: Server, address: string, listen: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    // It stays: a connection that could not be accepted later is an error of the server, too, and ends nothing.
    server.on('error', (error: NodeJS.ErrnoException) =>
      reject(
        new Error(`listen.grpc: cannot listen on ${address}: ${reasonOf(error, address)}`, { cause: error }),
      ),
    );
    server.once('listening', resolve);
    listen();
  });
}

function reasonOf({ code, message }: NodeJS.ErrnoException, address: string): string {
  const path = socketPath(address);
  if (path === undefined) return message;
  const folder = dirname(path);
  // Linux says the one of a folder that is missing, Node the other where it looked itself.
  if (!existsSync(folder))
    return `there is no folder ${folder}; make it, for the user that Countersign runs as`;
  if (code === 'EACCES')
    return `${folder} may not be written to; give it to the user that Countersign runs as`;
  return message;
}

async function giveToGroup(path: string, group: number): Promise<void> {
  await chown(path, process.geteuid!(), group).catch((error: NodeJS.ErrnoException) => {
    throw new Error(
      `listen.socket_group: ${path} cannot be given to group ${group} (${error.code}); let the user that Countersign runs as be one of it`,
      { cause: error },
    );
  });
}

function socketPath(address: string): string | undefined {
  return address.startsWith('unix:') ? address.slice('unix:'.length).replace(/^\/\//, '') : undefined;
}

/** A socket file outlives a process that was killed; one that answers belongs to somebody. */
async function removeStaleSocket(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket()) throw new Error(`listen.grpc: ${path} exists and is not a socket`);
  const owner = await ownerOf(path);
  if (owner === 'living') throw new Error(`listen.grpc: another process listens on ${path}`);
  if (owner === 'unknown')
    throw new Error(
      `listen.grpc: ${path} may not be connected to, so that nobody can tell whether a process listens there; take it away if none does`,
    );
  await unlink(path);
}

function ownerOf(path: string): Promise<'living' | 'dead' | 'unknown'> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve('living');
    });
    probe.once('error', ({ code }: NodeJS.ErrnoException) => {
      // One whose queue is full does not take the probe, but lives.
      resolve(code === 'ECONNREFUSED' ? 'dead' : code === 'EACCES' ? 'unknown' : 'living');
    });
  });
}
