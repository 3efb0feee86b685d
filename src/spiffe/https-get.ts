import { request } from 'node:http';
import { isIP } from 'node:net';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { shownChain } from '../identity/shown-chain.js';

export interface HttpsGetOptions {
  readonly url: string;
  readonly trust: PeerTrust;
  /** Of what is known already. */
  readonly etag?: string;
  /** Milliseconds for all of it, from the first packet to the last. */
  readonly timeout: number;
  /** Bytes. */
  readonly maxBytes: number;
}

/**
 * Whom a server has to be. `web`: the one that the URL names, by the Web PKI or by the authorities that are given
 * (PEM). `chain`: whoever the check is content with, whatever the URL's host; it says what is wrong, and is given what
 * the server showed, in DER, the leaf first.
 */
export type PeerTrust =
  | { readonly kind: 'web'; readonly authorities?: string }
  | { readonly kind: 'chain'; readonly fault: (chain: readonly Buffer[]) => string | undefined };

/** A body, or that it is what the etag stands for. */
export type Answer = { readonly text: string; readonly etag?: string } | 'unchanged';

/**
 * One GET over TLS. Nothing is sent before the server has proved who it is, and a redirect is not followed: it would
 * let whoever answers choose another source.
 *
 * @throws Error that says what went wrong, without anything of what was answered
 */
export async function httpsGet(options: HttpsGetOptions): Promise<Answer> {
  const url = new URL(options.url);
  let socket: TLSSocket | undefined;
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    socket?.destroy(new Error('timeout'));
  }, options.timeout);
  try {
    socket = open(url, options.trust);
    await secured(socket, options.trust);
    return await exchange(url, socket, options);
  } catch (error) {
    const what = timedOut ? 'gave no answer in time' : (error as Error).message;
    throw new Error(`${options.url} ${what}`, { cause: error });
  } finally {
    clearTimeout(timer);
    socket?.destroy();
  }
}

function open(url: URL, trust: PeerTrust): TLSSocket {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const common: ConnectionOptions = {
    host,
    port: url.port === '' ? 443 : Number(url.port),
    // RFC 6066 section 3 has no IP addresses in it.
    ...(isIP(host) === 0 && { servername: host }),
    minVersion: 'TLSv1.2',
    ALPNProtocols: ['http/1.1'],
  };
  if (trust.kind === 'web')
    return connect({ ...common, ...(trust.authorities !== undefined && { ca: trust.authorities }) });
  // The Web PKI has no say in who a workload is: the chain is judged in secured(), before a byte is sent.
  return connect({ ...common, rejectUnauthorized: false });
}

async function secured(socket: TLSSocket, trust: PeerTrust): Promise<void> {
  // One that comes late, when nobody waits any more, must not end the process.
  socket.on('error', () => {});
  await new Promise<void>((resolve, reject) => {
    socket.once('secureConnect', resolve);
    socket.once('close', () => reject(new Error('ended the connection')));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      reject(new Error(`cannot be reached (${error.code ?? error.name})`, { cause: error }));
    });
  });
  if (trust.kind === 'web') {
    if (!socket.authorized) throw new Error('is not who it claims to be');
    return;
  }
  const chain = shownChain(socket.getPeerCertificate(true));
  const fault = chain.length === 0 ? 'it showed no certificate' : trust.fault(chain);
  if (fault !== undefined) throw new Error(`is not the endpoint: ${fault}`);
}

function exchange(url: URL, socket: TLSSocket, { etag, maxBytes }: HttpsGetOptions): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request({
      createConnection: () => socket,
      path: `${url.pathname}${url.search}`,
      headers: {
        host: url.host,
        accept: 'application/json',
        ...(etag !== undefined && { 'if-none-match': etag }),
      },
    });
    asked.once('error', () => reject(new Error('did not answer in HTTP')));
    asked.once('response', (response) => {
      const { statusCode = 0, headers } = response;
      if (statusCode === 304 && etag !== undefined) return resolve('unchanged');
      if (statusCode >= 300 && statusCode < 400 && headers.location !== undefined)
        return reject(new Error('redirects, which is not followed'));
      if (statusCode !== 200) return reject(new Error(`answered ${statusCode}`));
      const parts: Buffer[] = [];
      let bytes = 0;
      response.on('data', (part: Buffer) => {
        bytes += part.length;
        if (bytes <= maxBytes) return void parts.push(part);
        reject(new Error(`answered more than ${maxBytes} bytes`));
        socket.destroy();
      });
      response.once('error', () => reject(new Error('broke off its answer')));
      response.once('end', () => {
        const text = decode(Buffer.concat(parts));
        if (text === undefined) return reject(new Error('answered what is not UTF-8'));
        resolve({ text, ...(headers.etag !== undefined && { etag: headers.etag }) });
      });
    });
    asked.end();
  });
}

function decode(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
