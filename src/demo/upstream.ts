import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What the upstream saw of a request; it answers every request with this, as JSON. */
export interface Echo {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

export interface Upstream {
  readonly port: number;
  close(): Promise<void>;
}

/** A service with no security of its own: it answers whatever reaches it, on a loopback port. */
export async function startUpstream(): Promise<Upstream> {
  const server = createServer((request, response) => {
    const echo: Echo = { method: request.method ?? '', path: request.url ?? '', headers: request.headers };
    request.resume();
    request.on('end', () => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(echo));
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
