import { fileURLToPath } from 'node:url';
import {
  Client,
  credentials,
  loadPackageDefinition,
  Metadata,
  status,
  type ServiceDefinition,
  type StatusObject,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

/** The same from src/spiffe and from dist/spiffe. */
const PROTO = fileURLToPath(new URL('../../proto/', import.meta.url));

interface Loaded {
  SpiffeWorkloadAPI: { service: ServiceDefinition };
}

/** The service of proto/spiffe/workload.proto. Bytes are Buffers, and what was not on the wire is its default. */
export const workloadApiService: ServiceDefinition = (
  loadPackageDefinition(
    loadSync('spiffe/workload.proto', { includeDirs: [PROTO], defaults: true, arrays: true, objects: true }),
  ) as unknown as Loaded
).SpiffeWorkloadAPI.service;

/** Bundles by trust domain. */
export interface BundlesMessage {
  readonly bundles: { readonly [trustDomain: string]: Buffer };
}

export interface SvidsMessage {
  readonly svids: readonly {
    readonly spiffeId: string;
    readonly x509Svid: Buffer;
    readonly x509SvidKey: Buffer;
    readonly hint: string;
  }[];
}

/** What each stream sends. */
export interface Streams {
  readonly FetchX509Bundles: BundlesMessage;
  readonly FetchJWTBundles: BundlesMessage;
  readonly FetchX509SVID: SvidsMessage;
}

/**
 * Why a stream ended, as the Workload Endpoint's appendix A tells the codes apart. `denied`: the agent has nothing for
 * this process, and withdraws what it sent before; `hopeless`: asking again would bring the same.
 */
export interface StreamEnd {
  readonly kind: 'denied' | 'hopeless' | 'interrupted';
  /** For the operator; no message is ever quoted in it. */
  readonly detail: string;
}

export interface StreamListener<Message> {
  message(message: Message): void;
  /** Called once, unless it was cancelled. */
  end(end: StreamEnd): void;
}

/** Opens a stream, and gives what cancels it: then its listener hears nothing any more. */
export type OpenStream<Message> = (listener: StreamListener<Message>) => () => void;

export interface JwtSvidsMessage {
  readonly svids: readonly { readonly spiffeId: string; readonly svid: string; readonly hint: string }[];
}

export interface WorkloadApi {
  stream<Name extends keyof Streams>(name: Name): OpenStream<Streams[Name]>;
  /**
   * FetchJWTSVID (SPIFFE Workload API, section 6.2.2).
   *
   * @param deadline milliseconds since the epoch
   * @throws Error that says how the agent answered
   */
  jwtSvids(audience: string, deadline: number): Promise<JwtSvidsMessage>;
  close(): void;
}

/** Bytes: ten thousand authorities. */
const MOST_BYTES = 16 * 1024 * 1024;

/** Without it an agent answers nobody: no browser can be made to send it (SPIFFE Workload Endpoint, section 6). */
function securityHeader(): Metadata {
  const metadata = new Metadata();
  metadata.set('workload.spiffe.io', 'true');
  return metadata;
}

/** A client of the agent behind a socket. It connects when the first stream is opened, and again when one is. */
export function createWorkloadApi(socketPath: string): WorkloadApi {
  const client = new Client(`unix:${socketPath}`, credentials.createInsecure(), {
    'grpc.max_receive_message_length': MOST_BYTES,
    'grpc.enable_http_proxy': 0,
    'grpc.service_config_disable_resolution': 1,
    // Streams have their own backoff; a connection that still waits would only make theirs longer.
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 1_000,
  });
  return {
    stream: (name) => (listener) => {
      const { path, requestSerialize, responseDeserialize } = workloadApiService[name]!;
      const call = client.makeServerStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        {},
        securityHeader(),
      );
      let over = false;
      call.on('data', (message) => void (over || listener.message(message)));
      // The status says the same, and comes always.
      call.on('error', () => {});
      call.on('status', (ended) => {
        if (over) return;
        over = true;
        listener.end(endOf(name, ended));
      });
      return () => {
        over = true;
        call.cancel();
      };
    },
    jwtSvids: (audience, deadline) =>
      new Promise((resolve, reject) => {
        const { path, requestSerialize, responseDeserialize } = workloadApiService.FetchJWTSVID!;
        client.makeUnaryRequest(
          path,
          requestSerialize,
          responseDeserialize,
          { audience: [audience] },
          securityHeader(),
          { deadline },
          (error, message) =>
            error
              ? reject(new Error(endOf('FetchJWTSVID', error).detail))
              : resolve(message as JwtSvidsMessage),
        );
      }),
    close: () => client.close(),
  };
}

function endOf(name: string, { code, details }: StatusObject): StreamEnd {
  // An agent's own words, for people: short, and without anything that a log could stumble over.
  const words = details.replace(/[^\x20-\x7e]/g, ' ').slice(0, 200);
  const detail = `${name}: ${status[code] ?? code}${words === '' ? '' : `: ${words}`}`;
  if (code === status.PERMISSION_DENIED) return { kind: 'denied', detail };
  if (code === status.INVALID_ARGUMENT || code === status.UNIMPLEMENTED) return { kind: 'hopeless', detail };
  return { kind: 'interrupted', detail };
}
