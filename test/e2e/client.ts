import { connect as http2Connect } from 'node:http2';
import { connect as tlsConnect } from 'node:tls';
import { type ClientAnswer, type ClientRequest, TIMEOUT } from '../../src/demo/mtls-request.js';

export { http1 } from '../../src/demo/mtls-request.js';

/** Over HTTP/2, on a connection of its own. */
export function http2(asked: ClientRequest): Promise<ClientAnswer> {
  return new Promise((resolve, reject) => {
    const session = http2Connect(`https://127.0.0.1:${asked.port}`, {
      servername: 'localhost',
      ca: asked.ca,
      cert: asked.certPem,
      key: asked.keyPem,
    });
    session.once('error', reject);
    const stream = session.request({
      ':method': asked.method ?? 'GET',
      ':path': asked.path ?? '/',
      ...(asked.headers as { [name: string]: string | string[] } | undefined),
    });
    let answer: Omit<ClientAnswer, 'body'> = { status: 0, headers: {} };
    let body = '';
    stream.setEncoding('utf8');
    stream.setTimeout(TIMEOUT, () => stream.destroy(new Error('no answer')));
    stream.on('response', (headers) => (answer = { status: Number(headers[':status']), headers }));
    stream.on('data', (text) => (body += text));
    stream.on('error', reject);
    stream.on('end', () => {
      session.close();
      resolve({ ...answer, body });
    });
    stream.end(asked.body);
  });
}

/**
 * Opens a TLS connection and speaks plain HTTP/1.0 through it, as a client of a TCP proxy does.
 *
 * @returns all that came back; empty when the connection was closed without an answer
 */
export function tcp(asked: ClientRequest): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = tlsConnect({
      host: '127.0.0.1',
      port: asked.port,
      servername: 'localhost',
      ca: asked.ca,
      cert: asked.certPem,
      key: asked.keyPem,
    });
    let received = '';
    socket.setEncoding('utf8');
    socket.setTimeout(TIMEOUT, () => socket.destroy(new Error('no answer')));
    socket.once('secureConnect', () =>
      socket.write(`GET ${asked.path ?? '/'} HTTP/1.0\r\nhost: tcp\r\n\r\n`),
    );
    socket.on('data', (text) => (received += text));
    socket.on('close', () => resolve(received));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNRESET') resolve(received);
      else reject(error);
    });
  });
}
