import { X509Certificate } from 'node:crypto';
import { jest } from '@jest/globals';
import { isRefusal } from '../../src/errors/refusal.js';
import { parseTrustBundle, TrustBundles } from '../../src/identity/trust-bundle.js';
import { createIdentityVerifier } from '../../src/identity/verifier.js';
import type { XfccOptions } from '../../src/identity/xfcc-hops.js';
import { NOW, peer, TestCa, WORKLOAD, type TestCertificate } from '../support/ca.js';
import { ONE_HOP, xfccText } from '../support/xfcc.js';

const GATEWAY = 'spiffe://example.org/ns/edge/sa/gateway';
const EDGE = 'spiffe://example.org/ns/edge/sa/edge';

const ca = await TestCa.create();
const parsed = parseTrustBundle('example.org', ca.certificate.pem);
if (isRefusal(parsed)) throw new Error(parsed.detail);
const bundles = new TrustBundles([parsed], 1);

const client = await ca.issue();
const gateway = await ca.issue({ uris: [GATEWAY], notAfter: NOW + 1000 });
const edge = await ca.issue({ uris: [EDGE], notAfter: NOW + 2000 });

const ofClient = xfccText({ leaf: client, uris: [WORKLOAD] });
const ofEdge = xfccText({ leaf: edge, uris: [EDGE] });
const ofGateway = xfccText({ leaf: gateway, uris: [GATEWAY] });

const refused = (code: string, detail = '') =>
  expect.objectContaining({ refused: true, code, detail: expect.stringContaining(detail) });

const setUp = (options: Partial<XfccOptions> = {}) =>
  createIdentityVerifier({
    source: 'xfcc',
    xfcc: { ...ONE_HOP, from: new Set([GATEWAY, EDGE]), fromUnauthenticated: false, ...options },
    bundles: { current: () => bundles },
  });

/** A request that Envoy got from this peer. */
const from = (sender: TestCertificate, principal: string, ...lines: string[]) =>
  peer(sender, { principal, forwardedClientCert: lines });

describe('x-forwarded-client-cert', () => {
  test('is believed of a proxy that is named', () => {
    expect(setUp().verify(from(gateway, GATEWAY, ofClient), NOW)).toMatchObject({
      spiffeId: WORKLOAD,
      source: 'xfcc',
      fingerprint: client.hash,
    });
  });

  test('is not believed of any other workload, though its own certificate is good', async () => {
    const other = await ca.issue({ uris: ['spiffe://example.org/other'] });
    expect(setUp().verify(from(other, 'spiffe://example.org/other', ofClient), NOW)).toEqual(
      refused('xfcc_hop_untrusted', 'spiffe://example.org/other sent it'),
    );
  });

  test('is not believed of a proxy whose certificate nobody vouches for, or has expired, or is not the principal', async () => {
    const rogue = await (await TestCa.create()).issue({ uris: [GATEWAY] });
    const verifier = setUp();
    for (const [sender, principal, at] of [
      [rogue, GATEWAY, NOW],
      [gateway, GATEWAY, NOW + 1001],
      [gateway, EDGE, NOW],
      [client, GATEWAY, NOW],
    ] as const) {
      expect(verifier.verify(from(sender, principal, ofClient), NOW)).toBeDefined();
      expect(verifier.verify(from(sender, principal, ofClient), at)).toEqual(refused('xfcc_hop_untrusted'));
    }
  });

  test('is believed of a peer without a certificate only where that is configured', () => {
    const evidence = { ...from(client, '', ofClient), certificate: '' };
    expect(setUp().verify(evidence, NOW)).toEqual(refused('xfcc_hop_untrusted', 'no certificate'));
    expect(setUp({ fromUnauthenticated: true }).verify(evidence, NOW)).toMatchObject({ spiffeId: WORKLOAD });
  });

  test('is missing before anything is said of who should have sent it', () => {
    expect(setUp().verify(from(gateway, GATEWAY), NOW)).toEqual(refused('xfcc_missing'));
  });

  test('names the proxies that it went through, and all of them have to be trusted', async () => {
    const verifier = setUp({ trustedHops: 2 });
    expect(verifier.verify(from(gateway, GATEWAY, `${ofClient},${ofEdge}`), NOW)).toMatchObject({
      spiffeId: WORKLOAD,
    });
    expect(verifier.verify(from(gateway, GATEWAY, `${ofEdge},${ofClient}`), NOW)).toEqual(
      refused('xfcc_hop_untrusted', `it went through ${WORKLOAD}`),
    );
    const rogue = await (await TestCa.create()).issue({ uris: [EDGE] });
    const forged = xfccText({ leaf: rogue, uris: [EDGE] });
    expect(verifier.verify(from(gateway, GATEWAY, `${ofClient},${forged}`), NOW)).toEqual(
      refused('xfcc_hop_untrusted', 'not known'),
    );
  });

  test('says nothing any more once the certificate of a proxy in between has expired, warm or not', () => {
    const verifier = setUp({ trustedHops: 2, fromUnauthenticated: true });
    const evidence = { ...from(client, '', `${ofClient},${ofEdge}`), certificate: '' };
    expect(verifier.verify(evidence, NOW + 2000)).toMatchObject({ spiffeId: WORKLOAD });
    expect(verifier.verify(evidence, NOW + 2001)).toEqual(refused('xfcc_hop_untrusted', 'expired'));
  });

  test('that Envoy appended to is not taken for the client when nobody counted Envoy', () => {
    const line = `${ofClient},${ofGateway}`;
    expect(setUp().verify(from(gateway, GATEWAY, line), NOW)).toEqual(
      refused('xfcc_hop_untrusted', 'trusted_hops'),
    );
    expect(setUp({ trustedHops: 2 }).verify(from(gateway, GATEWAY, line), NOW)).toMatchObject({
      spiffeId: WORKLOAD,
    });
  });

  test('costs no signature when it is warm, and its proxy is held to the list all the same', () => {
    const verifySignature = jest.spyOn(X509Certificate.prototype, 'verify');
    const verifier = setUp();
    const first = verifier.verify(from(gateway, GATEWAY, ofClient), NOW);
    expect(verifySignature).toHaveBeenCalledTimes(2); // the proxy's and the client's
    expect(verifier.verify(from(gateway, GATEWAY, ofClient), NOW)).toBe(first);
    expect(verifier.verify(from(client, WORKLOAD, ofClient), NOW)).toEqual(refused('xfcc_hop_untrusted'));
    expect(verifySignature).toHaveBeenCalledTimes(3);
    verifySignature.mockRestore();
  });
});
