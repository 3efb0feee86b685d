import { request as httpsRequest } from 'node:https';

/** One request of a workload, over mTLS. */
export interface ClientRequest {
  readonly port: number;
  readonly ca: string;
  /** The workload's certificate and key; without them none is presented. */
  readonly certPem?: string;
  readonly keyPem?: string;
  readonly method?: string;
  readonly path?: string;
  /** An array of values sends the header that many times; a flat array is names and values in turn, as they are. */
  readonly headers?: { readonly [name: string]: string | string[] } | readonly string[];
  readonly body?: string;
}

export interface ClientAnswer {
  readonly status: number;
  readonly headers: { readonly [name: string]: string | string[] | undefined };
  readonly body: string;
}

/** Milliseconds. */
export const TIMEOUT = 15_000;

/** Sends it over HTTP/1.1, on a connection of its own. */
export function http1(asked: ClientRequest): Promise<ClientAnswer> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      {
        host: '127.0.0.1',
        port: asked.port,
        servername: 'localhost',
        ca: asked.ca,
        cert: asked.certPem,
        key: asked.keyPem,
        agent: false,
        method: asked.method ?? 'GET',
        path: asked.path ?? '/',
        headers: asked.headers,
        timeout: TIMEOUT,
      },
      (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (text) => (body += text));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
        );
        response.on('error', reject);
      },
    );
    request.on('timeout', () => request.destroy(new Error('no answer')));
    request.on('error', reject);
    request.end(asked.body);
  });
}
