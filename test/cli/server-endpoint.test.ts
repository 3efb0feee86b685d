import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serverEndpoint } from '../../src/cli/engine/server-endpoint.js';
import { mintTrustDomain } from '../../src/demo/trust-domain.js';

const domain = await mintTrustDomain('example.org');
const own = await domain.issueSvid('/idp', { dns: ['localhost'] });
const folder = await mkdtemp(join(tmpdir(), 'countersign-endpoint-'));
const ca = join(folder, 'ca.pem');
await writeFile(ca, domain.bundlePem);

const server = createServer({ cert: own.certPem, key: own.keyPem }, (_, response) => {
  response.end(JSON.stringify({ issuer, token_endpoint: `${issuer}/token` }));
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const issuer = `https://localhost:${(server.address() as AddressInfo).port}`;
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await rm(folder, { recursive: true });
});

const found = (roots: string | undefined) =>
  serverEndpoint({
    issuer,
    place: 'discovery',
    member: 'token_endpoint',
    client: { client_id: 'countersign', client_authentication: { method: 'tls_client_auth' }, ca: roots },
    refresh: 1000,
    svids: undefined,
    now: Date.now,
  }).endpoint();

test('metadata come from a server that the configured roots vouch for, and from no other', async () => {
  expect(await found(ca)).toBe(`${issuer}/token`);
  await expect(found(undefined)).rejects.toThrow(/cannot be reached/);
});

test('roots that cannot be read are named', async () => {
  await expect(found(join(folder, 'none.pem'))).rejects.toThrow(/none\.pem cannot be read \(ENOENT\)/);
});
