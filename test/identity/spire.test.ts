import { X509Certificate } from 'node:crypto';
import { isRefusal } from '../../src/errors/refusal.js';
import { TrustBundles, parseTrustBundle } from '../../src/identity/trust-bundle.js';
import { createIdentityVerifier } from '../../src/identity/verifier.js';
import { evidenceOf } from '../support/ca.js';
import { SpireServer, describeSpire } from '../support/spire.js';

const WORKLOAD = 'spiffe://example.org/ns/shop/sa/frontend';

describeSpire('an X509-SVID that SPIRE minted', () => {
  let server: SpireServer;
  let other: SpireServer;
  let svid: string;

  beforeAll(async () => {
    [server, other] = await Promise.all([SpireServer.start('example.org'), SpireServer.start('other.org')]);
    svid = await server.mint(WORKLOAD);
  }, 120_000);

  afterAll(() => Promise.all([server?.stop(), other?.stop()]));

  function verify(bundleText: string, trustDomain = 'example.org') {
    const bundle = parseTrustBundle(trustDomain, bundleText);
    if (isRefusal(bundle)) throw new Error(bundle.detail);
    const bundles = new TrustBundles([bundle], 1);
    const verifier = createIdentityVerifier({ source: 'certificate', bundles: { current: () => bundles } });
    const evidence = evidenceOf({ certificate: encodeURIComponent(svid), principal: WORKLOAD });
    return verifier.verify(evidence, Date.now());
  }

  test.each(['pem', 'spiffe'] as const)("is verified against SPIRE's own bundle in %s", async (format) => {
    expect(verify(await server.bundle(format))).toMatchObject({
      spiffeId: WORKLOAD,
      trustDomain: 'example.org',
      path: '/ns/shop/sa/frontend',
    });
  });

  test('lives as long as SPIRE lets it and its authority live', async () => {
    const roots = await server.bundle('pem');
    const ends = [svid, roots].map((pem) => Date.parse(new X509Certificate(pem).validTo));
    expect(verify(roots)).toMatchObject({ notAfter: Math.min(...ends) });
  });

  test('comes with a bundle that counts its changes', async () => {
    const bundle = parseTrustBundle('example.org', await server.bundle('spiffe'));
    expect(bundle).toMatchObject({ sequence: expect.any(BigInt), authorities: [{ fields: { ca: true } }] });
  });

  test.each(['pem', 'spiffe'] as const)(
    "is refused against another domain's bundle in %s",
    async (format) => {
      const foreign = await other.bundle(format);
      expect(verify(foreign, 'other.org')).toMatchObject({ code: 'trust_domain_unknown' });
      // Even where that bundle is passed off as the one of its own domain.
      expect(verify(foreign)).toMatchObject({ code: 'certificate_untrusted' });
    },
  );
});
