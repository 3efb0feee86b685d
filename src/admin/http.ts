import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Metrics } from '../telemetry/metrics.js';
import { answerProtected, type ProtectedRoute } from './protected.js';

/** Whether this server should get requests, and each thing that this depends on. No detail holds a secret. */
export interface Readiness {
  readonly ready: boolean;
  readonly checks: { readonly [name: string]: { readonly ok: boolean; readonly detail?: string } };
}

export interface AdminOptions {
  /** An IPv6 host without brackets; port 0 picks one. */
  readonly host: string;
  readonly port: number;
  readonly metrics: Pick<Metrics, 'text' | 'contentType'>;
  readonly readiness: () => Readiness;
  /** What takes a secret. */
  readonly protectedRoutes?: readonly ProtectedRoute[];
  /** Reads the secret anew; undefined where there is none, and then these routes are shut. */
  readonly secret?: (() => Promise<string>) | undefined;
}

export interface AdminServer {
  /** `host:port`, the port that was picked included. */
  readonly address: string;
  close(): Promise<void>;
}

/**
 * The operator's HTTP: `/livez`, `/readyz`, `/metrics`, for GET and HEAD, and what takes a secret.
 *
 * @throws Error that names `listen.admin`, when the address cannot be bound
 */
export async function startAdmin(options: AdminOptions): Promise<AdminServer> {
  const { host, port, metrics, readiness, protectedRoutes = [], secret } = options;
  const routes: { [path: string]: (response: ServerResponse) => void | Promise<void> } = {
    '/livez': (response) => send(response, 200, 'text/plain', 'ok\n'),
    '/readyz': (response) => {
      const state = readiness();
      send(response, state.ready ? 200 : 503, 'application/json', `${JSON.stringify(state, null, 2)}\n`);
    },
    '/metrics': async (response) => send(response, 200, metrics.contentType, await metrics.text()),
  };
  const server = createServer(
    { maxHeaderSize: 8192, requestTimeout: 5_000, headersTimeout: 5_000 },
    (request, response) => {
      const asked = request.url?.split('?', 1)[0] ?? '';
      const guarded = protectedRoutes.find(({ path }) => asked === path || asked.startsWith(`${path}/`));
      if (guarded !== undefined) return void answerGuarded(request, response, guarded, secret);
      const route = Object.entries(routes).find(([path]) => path === asked)?.[1];
      if (route === undefined)
        return send(
          response,
          404,
          'application/json',
          `{"error":"not_found","paths":${JSON.stringify([...Object.keys(routes), ...protectedRoutes.map(({ path }) => path)])}}\n`,
        );
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        response.setHeader('allow', 'GET, HEAD');
        return send(response, 405, 'application/json', '{"error":"method_not_allowed"}\n');
      }
      Promise.resolve()
        .then(() => route(response))
        .catch(() => send(response, 500, 'application/json', '{"error":"internal_error"}\n'));
    },
  );
  const name = host.includes(':') ? `[${host}]` : host;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(new Error(`listen.admin: cannot listen on ${name}:${port}: ${error.message}`, { cause: error })),
    );
    server.listen(port, host, resolve);
  });
  const bound = (server.address() as AddressInfo).port;
  return {
    address: `${name}:${bound}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answerGuarded(
  request: IncomingMessage,
  response: ServerResponse,
  route: ProtectedRoute,
  secret: AdminOptions['secret'],
): Promise<void> {
  try {
    const { status, body, headers = {} } = await answerProtected(request, route, secret);
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    // What was not read of the body must not be taken for the next request.
    if (!request.complete) response.setHeader('connection', 'close');
    send(response, status, 'application/json', `${JSON.stringify(body, null, 2)}\n`);
  } catch {
    if (!response.headersSent) send(response, 500, 'application/json', '{"error":"internal_error"}\n');
  }
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
  // node:http leaves the body of an answer to HEAD away by itself.
  response.end(body);
}
