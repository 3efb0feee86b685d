import type { Ask } from './cases.js';
import { http1 } from './mtls-request.js';
import type { Echo } from './upstream.js';

/** Asks through Envoy: mTLS as the case's workload, to the echo upstream behind it. */
export function askEnvoy(port: number, ca: string): Ask {
  return async ({ workload, method, path, token, headers }) => {
    const { status, body } = await http1({
      port,
      ca,
      certPem: workload.certPem,
      keyPem: workload.keyPem,
      method,
      path,
      headers: { ...(token !== undefined && { authorization: `Bearer ${token}` }), ...headers },
    });
    if (status !== 200) return { status, reason: (JSON.parse(body) as { reason: string }).reason };
    const upstreamSpiffeId = (JSON.parse(body) as Echo).headers['x-countersign-spiffe-id'];
    return { status, reason: 'allowed', ...(typeof upstreamSpiffeId === 'string' && { upstreamSpiffeId }) };
  };
}
