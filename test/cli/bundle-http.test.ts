import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server, type ServerOptions } from 'node:https';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { bundleGetter } from '../../src/cli/bundle-http.js';
import type { BundleServiceConfig } from '../../src/config/schema.js';
import { mintTrustDomain } from '../../src/demo/trust-domain.js';

let folder: string;
let server: Server | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'countersign-http-'));
});
afterEach(async () => {
  server?.closeAllConnections();
  server?.close();
  await rm(folder, { recursive: true, force: true });
});

const domain = await mintTrustDomain('example.org');
const own = await domain.issueSvid('/bundles', { dns: ['localhost'] });
const client = await domain.issueSvid('/countersign');
const stranger = await (await mintTrustDomain('example.org')).issueSvid('/countersign');

async function file(name: string, text: string): Promise<string> {
  await writeFile(join(folder, name), text);
  return join(folder, name);
}

async function listen(
  options: ServerOptions,
  seen: (request: IncomingMessage) => void = () => {},
): Promise<string> {
  server = createServer({ cert: own.certPem, key: own.keyPem, ...options }, (request, response) => {
    seen(request);
    response.writeHead(200, { etag: '"1"' }).end('a bundle');
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server!.once('listening', resolve));
  return `https://localhost:${(server.address() as AddressInfo).port}/v1/`;
}

function get(service: Omit<BundleServiceConfig, 'timeout'>, limit = 1_000) {
  return bundleGetter({ ...service, timeout: 2_000 }, '/b.tar.gz', limit)(
    {},
    2_000,
    new AbortController().signal,
  );
}

describe('a bundle over https', () => {
  test('comes from a server that the configured roots vouch for, and from no other', async () => {
    const url = await listen({});
    const ca = await file('ca.pem', domain.bundlePem);
    const answer = await get({ url, ca });
    expect(answer).toMatchObject({ status: 200, etag: '"1"', body: Buffer.from('a bundle') });
    await expect(get({ url })).rejects.toThrow(
      /^https:\/\/localhost:\d+\/v1\/b\.tar\.gz cannot be reached \(/,
    );
    const other = await file('other.pem', (await mintTrustDomain('example.org')).bundlePem);
    await expect(get({ url, ca: other })).rejects.toThrow('cannot be reached');
    expect(await get({ url, ca }, 7)).toMatchObject({ code: 'bundle_too_large' });
  });

  test('shows the certificate that is configured, as it is at that time', async () => {
    const peers: string[] = [];
    const url = await listen({ requestCert: true, ca: domain.bundlePem }, (request) =>
      peers.push((request.socket as TLSSocket).getPeerCertificate().subjectaltname ?? ''),
    );
    const ca = await file('ca.pem', domain.bundlePem);
    const cert = await file('cert.pem', stranger.certPem);
    const key = await file('key.pem', stranger.keyPem);
    const credentials = { client_tls: { cert, private_key: key } };
    await expect(get({ url, ca })).rejects.toThrow();
    await expect(get({ url, ca, credentials })).rejects.toThrow();
    await file('cert.pem', client.certPem);
    await file('key.pem', client.keyPem);
    expect(await get({ url, ca, credentials })).toMatchObject({ status: 200 });
    expect(peers).toEqual(['URI:spiffe://example.org/countersign']);
  });

  test('names a credential that cannot be read, and never what is in it', async () => {
    const url = await listen({});
    const ca = await file('ca.pem', domain.bundlePem);
    const bearer = (path: string) => get({ url, ca, credentials: { bearer: { token_path: path } } });
    await expect(bearer(join(folder, 'none'))).rejects.toThrow(
      `${join(folder, 'none')} cannot be read (ENOENT)`,
    );
    const broken = await file('token', 'secret\nx-evil: 1');
    const error = await bearer(broken).catch((caught: Error) => caught.message);
    expect(error).toBe(`${broken} holds no token`);
  });
});
