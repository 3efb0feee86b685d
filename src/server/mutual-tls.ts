import { constants } from 'node:crypto';
import type { Socket } from 'node:net';
import { createServer, type SecureContextOptions, type Server, type TLSSocket } from 'node:tls';
import { isRefusal, refuse, type Refusal } from '../errors/refusal.js';
import { shownChain } from '../identity/shown-chain.js';
import { ignore } from './call.js';
import type { Client, ClientCode, Clients } from './clients.js';

/** What this server shows. It holds a private key: it is handed to OpenSSL, and nowhere else. */
export interface ServerCertificate {
  /** PEM, the leaf first. */
  readonly chain: string;
  /** PEM, PKCS #8. */
  readonly key: string;
  /** The leaf's; milliseconds since the epoch, inclusive. */
  readonly notAfter: number;
}

/**
 * Why a connection is refused.
 *
 * - `svid_unavailable`: this server has nothing to show that is valid;
 * - `handshake_failed`: it was no TLS handshake, or one that failed;
 * - `handshake_timeout`: it took too long;
 * - `handshake_overload`: too many were under way, and it was the oldest of them;
 * - `protocol_unsupported`: the client does not speak HTTP/2 over TLS (ALPN `h2`).
 */
export type ConnectionCode =
  | ClientCode
  | 'svid_unavailable'
  | 'handshake_failed'
  | 'handshake_timeout'
  | 'handshake_overload'
  | 'protocol_unsupported';

export interface MutualTlsOptions {
  /** What to show now; the same object until it changes. */
  readonly certificate: () => ServerCertificate | undefined;
  readonly clients: Clients;
  /** A connection was refused, or a client is accepted no more. */
  readonly onRefusal: (refusal: Refusal<ConnectionCode>) => void;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Milliseconds for a handshake, from the first byte to the last. Default 5 s. */
  readonly handshakeTimeout?: number;
  /** Handshakes that may be under way together. Default 1,024. */
  readonly maxHandshakes?: number;
}

export interface MutualTls {
  /** Begins a handshake. Nothing of the connection is served before its client was admitted. */
  take(socket: Socket): void;
  /** Breaks off the handshakes that are under way. */
  close(): void;
}

const HANDSHAKE_TIMEOUT = 5_000;
const MAX_HANDSHAKES = 1_024;

/** What HTTP/2 allows of TLS 1.2 (RFC 9113 section 9.2.2), and all of TLS 1.3. */
const CIPHERS = [
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_AES_128_GCM_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

/** Servers that wait for the next handshake: as many as begin at about the same time, but for a storm of them. */
const MAX_IDLE = 16;

/** One handshake. */
interface Handshake {
  readonly raw: Socket;
  readonly timer: NodeJS.Timeout;
}

/**
 * The server's side of mutual TLS, ahead of HTTP/2. Envoy speaks TLS 1.2 to its upstreams unless it is told otherwise.
 *
 * node:tls tells of a secured socket, or of an error, without saying of which connection; so each of its servers has one
 * handshake at a time, and none of them listens.
 *
 * @param onClient is given each connection whose client was admitted
 */
export function createMutualTls(
  options: MutualTlsOptions,
  onClient: (socket: TLSSocket, client: Client) => void,
): MutualTls {
  const { clients, onRefusal, now } = options;
  const { handshakeTimeout = HANDSHAKE_TIMEOUT, maxHandshakes = MAX_HANDSHAKES } = options;
  /** The oldest first. */
  const underWay = new Set<Handshake>();
  const idle: OneHandshake[] = [];

  function certificateNow(): ServerCertificate | Refusal<'svid_unavailable'> {
    const newest = options.certificate();
    if (newest === undefined) return refuse('svid_unavailable', 'there is no X.509-SVID of this server yet');
    return now() <= newest.notAfter
      ? newest
      : refuse('svid_unavailable', "this server's X.509-SVID has expired");
  }

  function take(raw: Socket): void {
    raw.on('error', ignore);
    const certificate = certificateNow();
    if (isRefusal(certificate)) return turnAway(raw, certificate);
    let server: OneHandshake;
    try {
      server = idle.pop() ?? new OneHandshake();
      server.show(certificate);
    } catch (error) {
      // OpenSSL takes no key that it holds to be too short, for one.
      const { code, name } = error as NodeJS.ErrnoException;
      return turnAway(
        raw,
        refuse('svid_unavailable', `this server's X.509-SVID cannot be used (${code ?? name})`),
      );
    }
    if (underWay.size >= maxHandshakes) {
      // Those who mean it are done in milliseconds; the oldest is the likeliest that does not.
      const [oldest] = underWay;
      end(oldest!, refuse('handshake_overload', `${maxHandshakes} handshakes were under way`));
    }
    begin(raw, server);
  }

  function begin(raw: Socket, server: OneHandshake): void {
    const timer = setTimeout(
      () => end(handshake, refuse('handshake_timeout', `it took more than ${handshakeTimeout} ms`)),
      handshakeTimeout,
    );
    timer.unref();
    const handshake: Handshake = { raw, timer };
    underWay.add(handshake);
    server.perform(raw, (outcome) => {
      if (idle.length < MAX_IDLE) idle.push(server);
      if (!underWay.has(handshake)) return;
      if (isRefusal(outcome)) return end(handshake, outcome);
      const client = admit(outcome);
      if (isRefusal(client)) return end(handshake, client);
      end(handshake);
      onClient(outcome, client);
    });
  }

  function admit(socket: TLSSocket): Client | Refusal<ConnectionCode> {
    // No session is offered: one that came back all the same would come without the client's certificate.
    if (socket.isSessionReused()) return refuse('handshake_failed', 'the client resumed a session');
    const client = clients.admit(shownChain(socket.getPeerCertificate(true)));
    if (isRefusal(client)) return client;
    if (socket.alpnProtocol !== 'h2')
      return refuse('protocol_unsupported', 'the client does not ask for HTTP/2 (ALPN h2)');
    return client;
  }

  function end(handshake: Handshake, refusal?: Refusal<ConnectionCode>): void {
    if (!underWay.delete(handshake)) return;
    clearTimeout(handshake.timer);
    if (refusal !== undefined) turnAway(handshake.raw, refusal);
  }

  function turnAway(raw: Socket, refusal: Refusal<ConnectionCode>): void {
    raw.destroy();
    onRefusal(refusal);
  }

  return {
    take,
    close() {
      for (const handshake of underWay) {
        end(handshake);
        handshake.raw.destroy();
      }
    },
  };
}

type Outcome = TLSSocket | Refusal<'handshake_failed'>;

/** A TLS server that listens nowhere, and is given one connection after the other. */
class OneHandshake {
  private readonly server: Server;
  private shown: ServerCertificate | undefined;
  private settle: ((outcome: Outcome) => void) | undefined;

  constructor() {
    this.server = createServer({
      requestCert: true,
      // Judged in admit(), by the bundle of the client's own trust domain.
      rejectUnauthorized: false,
      ALPNProtocols: ['h2'],
    });
    this.server.on('secureConnection', (socket) => this.settled(socket));
    this.server.on('tlsClientError', ({ code, message }: NodeJS.ErrnoException) =>
      this.settled(refuse('handshake_failed', code ?? message)),
    );
  }

  /** @throws Error of OpenSSL for what it does not take */
  show(certificate: ServerCertificate): void {
    if (certificate === this.shown) return;
    this.server.setSecureContext(contextOf(certificate));
    this.shown = certificate;
  }

  /** @param settle called once, when the handshake is done or has failed; the next one may begin then */
  perform(raw: Socket, settle: (outcome: Outcome) => void): void {
    this.settle = settle;
    this.server.emit('connection', raw);
  }

  private settled(outcome: Outcome): void {
    const { settle } = this;
    this.settle = undefined;
    settle?.(outcome);
  }
}

function contextOf({ chain, key }: ServerCertificate): SecureContextOptions {
  return {
    cert: chain,
    key,
    // None: the Web PKI has no say in who a workload is.
    ca: [],
    minVersion: 'TLSv1.2',
    ciphers: CIPHERS,
    honorCipherOrder: true,
    // A session that is resumed, or a handshake within one that has begun, would go past the client's certificate.
    secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
  };
}
