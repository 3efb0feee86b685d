import { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';

/**
 * A TLS connection for a session of node:http2. Given the socket itself, a session would take over its handle, and a
 * frame that is written beside it (sayFarewell) ends the process: unlike a TCP socket's, the handle of a TLS socket
 * tells the session of writes that are not its own, which is an assertion there.
 */
export class SecuredStream extends Duplex {
  constructor(private readonly socket: TLSSocket) {
    super();
    // As a session does with a socket of its own: without it an answer waits 40 ms for the peer to acknowledge the last one.
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) socket.pause();
    });
    // Of an end alone, node:http2 would make an end of its own, and then write one more frame: another assertion. Who
    // has ended one half of a connection has no use for the other.
    socket.once('end', () => this.destroy());
    socket.on('error', (error) => this.destroy(error));
    socket.once('close', () => this.destroy());
  }

  override _read(): void {
    this.socket.resume();
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    this.socket.write(chunk, done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.socket.write(Buffer.concat(chunks.map(({ chunk }) => chunk)), done);
  }

  override _final(done: () => void): void {
    this.socket.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.socket.destroy();
    done(error);
  }
}
