import { request as httpsRequest } from 'node:https';
import type { Ask, Case, Seen } from './cases.js';
import type { Echo } from './upstream.js';

/** Asks through Envoy: mTLS as the case's workload, HTTP/1.1, to the echo upstream behind it. */
export function askEnvoy(port: number, caPem: string): Ask {
  return async (asked) => {
    const { status, body } = await send(port, caPem, asked);
    if (status !== 200) return { status, reason: (JSON.parse(body) as { reason: string }).reason };
    const upstreamSpiffeId = (JSON.parse(body) as Echo).headers['x-countersign-spiffe-id'];
    return {
      status,
      reason: 'allowed',
      ...(typeof upstreamSpiffeId === 'string' && { upstreamSpiffeId }),
    } as Seen;
  };
}

function send(port: number, ca: string, asked: Case): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      {
        host: '127.0.0.1',
        port,
        servername: 'localhost',
        ca,
        cert: asked.workload.certPem,
        key: asked.workload.keyPem,
        agent: false,
        method: asked.method,
        path: asked.path,
        headers: {
          ...(asked.token !== undefined && { authorization: `Bearer ${asked.token}` }),
          ...asked.headers,
        },
        timeout: 10_000,
      },
      (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (text) => (body += text));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      },
    );
    request.on('timeout', () => request.destroy(new Error('no answer within 10 s')));
    request.on('error', reject);
    request.end();
  });
}
