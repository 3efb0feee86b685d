import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isFault, parseListenAddress } from '../../config/listen-address.js';
import type { Config } from '../../config/schema.js';
import {
  createReceiver,
  type Push,
  type PushAnswer,
  type ReceiverOptions,
  type SignalEvent,
} from '../../revocation/signals/receiver.js';
import type { Transmitter } from '../../revocation/signals/set.js';
import { createKeySource } from '../../token/key-source.js';
import { Failure } from '../failure.js';
import { standing, type EnginePart, type PartOptions } from './part.js';

type SignalsConfig = NonNullable<Config['revocation']['signals']>;

export interface SignalsPart extends EnginePart {
  /** `host:port`, the port that was picked included. */
  readonly address: string;
  /** Tokens so far, by what became of them. */
  counts(): ReadonlyMap<SignalEvent['result'], number>;
}

/** Bytes. A token with one event has about 1,000. */
const MOST_BYTES = 64 * 1024;

/** How keys of transmitters are fetched: as those of issuers are, unless told otherwise. */
const KEYS = { refresh: 300_000, cooldown: 30_000, maxStale: 3_600_000 };

/**
 * Receives security event tokens, in the process that keeps the list.
 *
 * @throws Failure where it cannot listen
 */
export async function startSignals(
  { listen, transmitters }: SignalsConfig,
  { hub, log, now }: PartOptions,
  { ask, longestLife }: Pick<ReceiverOptions, 'ask' | 'longestLife'>,
): Promise<SignalsPart> {
  const sources = transmitters.map((one) =>
    createKeySource({
      issuer: one.issuer,
      location: one.jwks,
      ...KEYS,
      fetch,
      readFile: (path) => readFile(path, 'utf8'),
      now,
      hub,
    }),
  );
  const counts = new Map<SignalEvent['result'], number>();
  const receive = createReceiver({
    transmitters: transmitters.map((one, i): Transmitter => {
      const file = one.authorization_file;
      return {
        issuer: one.issuer,
        audience: one.audience,
        algorithms: one.algorithms,
        keys: sources[i]!,
        issuers: one.issuers ?? [one.issuer],
        trustDomains: one.trust_domains,
        secret: file === undefined ? undefined : async () => (await readFile(file, 'utf8')).trim(),
      };
    }),
    ask,
    longestLife,
    now,
    onSignal(event) {
      counts.set(event.result, (counts.get(event.result) ?? 0) + 1);
      const level = ['refused', 'unavailable', 'unmatched'].includes(event.result) ? 'warn' : 'info';
      log[level](event, 'a security event');
    },
  });
  for (const source of sources) void source.start();
  const server = await startServer(listen, receive);
  return {
    address: server.address,
    counts: () => counts,
    checks: () =>
      Object.fromEntries(
        sources.map((source) => {
          const { issuer, stale, lastError } = source.status();
          return [`keys of the transmitter ${issuer}`, { ...standing(lastError), ok: !stale }];
        }),
      ),
    standings: () =>
      sources.map((source) => {
        const { issuer, lastError } = source.status();
        return [`keys of the transmitter ${issuer}`, lastError] as const;
      }),
    async stop() {
      for (const source of sources) source.stop();
      await server.close();
    },
  };
}

async function startServer(listen: string, receive: (push: Push) => Promise<PushAnswer>) {
  const address = parseListenAddress(listen);
  // The schema took both cases out already.
  if (isFault(address) || !('port' in address))
    throw new Failure('revocation.signals.listen is not host:port');
  const server = createServer(
    { maxHeaderSize: 8192, requestTimeout: 5_000, headersTimeout: 5_000 },
    (request, response) => {
      void answer(request, receive)
        .catch((): PushAnswer => ({ status: 503 }))
        .then(({ status, body }) => {
          if (!request.complete) response.setHeader('connection', 'close');
          if (status === 503) response.setHeader('retry-after', '5');
          const text = body === undefined ? '' : JSON.stringify(body);
          response.writeHead(status, {
            ...(text !== '' && { 'content-type': 'application/json' }),
            'content-length': Buffer.byteLength(text),
          });
          response.end(text);
        });
    },
  );
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(new Failure(`revocation.signals.listen: cannot listen on ${listen}: ${error.message}`)),
    );
    server.listen(address.port, address.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    address: `${address.host.includes(':') ? `[${address.host}]` : address.host}:${port}`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  request: IncomingMessage,
  receive: (push: Push) => Promise<PushAnswer>,
): Promise<PushAnswer> {
  if (request.url?.split('?', 1)[0] !== '/events') return { status: 404 };
  if (request.method !== 'POST') return { status: 405 };
  const chunks: Buffer[] = [];
  let length = 0;
  // The connection has to live on for the answer.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MOST_BYTES)
      return {
        status: 400,
        body: { err: 'invalid_request', description: `longer than ${MOST_BYTES} bytes` },
      };
    chunks.push(chunk);
  }
  return receive({
    contentType: request.headers['content-type'],
    authorization: request.headers.authorization,
    // A token is ASCII: whatever is not makes no token of it.
    body: Buffer.concat(chunks).toString('latin1'),
    from: request.socket.remoteAddress ?? '',
  });
}
