import { createServer, get } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { mintTrustDomain, type TrustDomainOptions } from '../../src/demo/trust-domain.js';
import { isRefusal } from '../../src/errors/refusal.js';
import { TrustBundles, parseTrustBundle } from '../../src/identity/trust-bundle.js';
import { createIdentityVerifier } from '../../src/identity/verifier.js';
import { forwarded } from '../support/ca.js';
import { ONE_HOP } from '../support/xfcc.js';

async function mint(options: TrustDomainOptions = {}) {
  const domain = await mintTrustDomain('example.org', options);
  const bundle = parseTrustBundle(domain.name, domain.bundlePem);
  if (isRefusal(bundle)) throw new Error(bundle.detail);
  const bundles = new TrustBundles([bundle], 1);
  return {
    domain,
    xfcc: createIdentityVerifier({ source: 'xfcc', xfcc: ONE_HOP, bundles: { current: () => bundles } }),
  };
}

const line = (leaf: string, chain: string) =>
  `Cert="${encodeURIComponent(leaf)}";Chain="${encodeURIComponent(chain)}"`;

describe.each([{ intermediate: false }, { intermediate: true }])(
  'a minted trust domain with %j',
  (options) => {
    test('issues workloads an identity that is verified', async () => {
      const { domain, xfcc } = await mint(options);
      const { spiffeId, certPem, chainPem } = await domain.issueSvid('/ns/shop/sa/frontend', {
        ttlMs: 60_000,
      });
      expect(spiffeId).toBe('spiffe://example.org/ns/shop/sa/frontend');
      expect(xfcc.verify(forwarded(line(certPem, chainPem)), Date.now())).toMatchObject({ spiffeId });
      expect(xfcc.verify(forwarded(line(certPem, chainPem)), Date.now() + 61_000)).toMatchObject({
        code: 'certificate_expired',
      });
      expect((await mint(options)).xfcc.verify(forwarded(line(certPem, chainPem)), Date.now())).toMatchObject(
        {
          code: 'certificate_untrusted',
        },
      );
    });

    test('issues certificates that TLS takes on either side', async () => {
      const { domain } = await mint(options);
      const [server, client] = await Promise.all([domain.issueSvid('/server'), domain.issueSvid('/client')]);
      const tls = { ca: domain.bundlePem, rejectUnauthorized: true, requestCert: true };
      const listening = createServer(
        { ...tls, cert: server.chainPem, key: server.keyPem },
        (request, response) => {
          response.end(String((request.socket as TLSSocket).authorized));
        },
      ).listen(0, '127.0.0.1');
      await new Promise((resolve) => listening.once('listening', resolve));
      const { port } = listening.address() as AddressInfo;
      const answer = await new Promise<string>((resolve, reject) => {
        const identity = { ...tls, cert: client.chainPem, key: client.keyPem, agent: false as const };
        get({ ...identity, host: '127.0.0.1', port, checkServerIdentity: () => undefined }, (response) =>
          response.setEncoding('utf8').once('data', resolve),
        ).once('error', reject);
      });
      await new Promise((resolve) => listening.close(resolve));
      expect(answer).toBe('true');
    });
  },
);

test('a minted trust domain issues nothing that is no workload', async () => {
  const { domain } = await mint();
  for (const path of ['', '/', 'shop', '/a//b'])
    await expect(domain.issueSvid(path)).rejects.toThrow('SPIFFE ID');
});
