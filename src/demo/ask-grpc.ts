import { type ChannelOptions, credentials, makeGenericClientConstructor } from '@grpc/grpc-js';
import type { CheckRequest, CheckResponse } from '../envoy/messages.js';
import { authorizationService } from '../server/proto.js';
import type { Ask, Case, Seen } from './cases.js';

export interface GrpcAsker {
  readonly ask: Ask;
  close(): void;
}

/** Asks over gRPC, with the CheckRequest that Envoy would send for the case: no TLS is involved. */
export function askGrpc(address: string, options: ChannelOptions = {}): GrpcAsker {
  const Client = makeGenericClientConstructor(authorizationService, 'Authorization');
  const client = new Client(address, credentials.createInsecure(), options);
  return {
    ask: (asked) =>
      new Promise((resolve, reject) => {
        const check = client.Check as unknown as UnaryCall;
        check.call(client, checkRequest(asked), { deadline: Date.now() + 5000 }, (error, response) => {
          if (error) reject(error);
          else resolve(seen(asked, response!));
        });
      }),
    close: () => client.close(),
  };
}

type UnaryCall = (
  request: CheckRequest,
  options: { deadline: number },
  callback: (error: Error | null, response?: CheckResponse) => void,
) => void;

/** envoy.service.auth.v3.CheckRequest as the HTTP filter fills it with `include_peer_certificate`. */
export function checkRequest(asked: Case): CheckRequest {
  return {
    attributes: {
      source: {
        address: { socketAddress: { address: '127.0.0.1', portValue: 40000 } },
        principal: asked.workload.spiffeId,
        certificate: encodeURIComponent(asked.workload.certPem),
      },
      destination: { address: { socketAddress: { address: '127.0.0.1', portValue: 443 } } },
      request: {
        http: {
          id: '1',
          method: asked.method,
          path: asked.path,
          host: 'localhost',
          scheme: 'https',
          protocol: 'HTTP/1.1',
          headers: {
            ':method': asked.method,
            ':path': asked.path,
            ':authority': 'localhost',
            ':scheme': 'https',
            ...(asked.token !== undefined && { authorization: `Bearer ${asked.token}` }),
            ...asked.headers,
          },
        },
      },
    },
  };
}

/** What the client and the upstream would have seen, had Envoy acted on the answer. */
function seen(asked: Case, response: CheckResponse): Seen {
  if (response.status?.code === 0) {
    const headers = new Map(Object.entries(asked.headers ?? {}));
    for (const { header } of response.okResponse?.headers ?? [])
      headers.set(header?.key ?? '', header?.value ?? '');
    for (const name of response.okResponse?.headersToRemove ?? []) headers.delete(name);
    const upstreamSpiffeId = headers.get('x-countersign-spiffe-id');
    return { status: 200, reason: 'allowed', ...(upstreamSpiffeId !== undefined && { upstreamSpiffeId }) };
  }
  const { reason } = JSON.parse(response.deniedResponse?.body ?? '{}') as { reason: string };
  return { status: Number(response.deniedResponse?.status?.code), reason };
}
