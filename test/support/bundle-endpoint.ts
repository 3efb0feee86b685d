import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';

type Shown = { readonly chainPem: string; readonly keyPem: string };

/** A bundle endpoint in this process, over real TLS, that answers as the test wants. */
export class BundleEndpoint {
  readonly requests: IncomingMessage[] = [];
  answer: (response: ServerResponse, request: IncomingMessage) => void = (response) =>
    void response.end('{}');

  private constructor(private readonly server: Server) {}

  /** @param shown what it proves itself with */
  static async start({ chainPem, keyPem }: Shown): Promise<BundleEndpoint> {
    const server = createServer({ cert: chainPem, key: keyPem });
    const endpoint = new BundleEndpoint(server);
    server.on('request', (request, response) => {
      endpoint.requests.push(request);
      endpoint.answer(response, request);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return endpoint;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `https://127.0.0.1:${this.port}/bundle`;
  }

  /** From now on it shows another certificate. */
  show({ chainPem, keyPem }: Shown): void {
    this.server.setSecureContext({ cert: chainPem, key: keyPem });
  }

  serve(text: string, headers: { readonly [name: string]: string } = {}): void {
    this.answer = (response) => void response.writeHead(200, headers).end(text);
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
