import fc from 'fast-check';
import { X509Certificate } from 'node:crypto';
import { jest } from '@jest/globals';
import { isRefusal } from '../../src/errors/refusal.js';
import { TrustBundles, parseTrustBundle } from '../../src/identity/trust-bundle.js';
import { createIdentityVerifier } from '../../src/identity/verifier.js';
import { HOUR, NOW, TestCa, WORKLOAD, evidenceOf, forwarded, peer } from '../support/ca.js';
import { ONE_HOP, xfccText } from '../support/xfcc.js';

const ca = await TestCa.create();
const foreignCa = await TestCa.create({ name: 'CN=foreign' });
const leaf = await ca.issue();

function bundle(trustDomain: string, text: string) {
  const parsed = parseTrustBundle(trustDomain, text);
  if (isRefusal(parsed)) throw new Error(parsed.detail);
  return parsed;
}

const trusted = new TrustBundles(
  [
    bundle('example.org', ca.certificate.pem),
    bundle('foreign.org', foreignCa.certificate.pem),
    bundle('withdrawn.org', '{"keys": []}'),
  ],
  1,
);

/** A verifier whose bundles can be swapped. */
function setUp(source: 'certificate' | 'xfcc' = 'certificate', cacheSize?: number) {
  let current = trusted;
  const verifier = createIdentityVerifier({
    ...(source === 'xfcc' ? { source, xfcc: ONE_HOP } : { source }),
    bundles: { current: () => current },
    ...(cacheSize !== undefined && { cacheSize }),
  });
  return { verifier, swap: (bundles: TrustBundles) => (current = bundles) };
}

const refused = (code: string) => expect.objectContaining({ refused: true, code });

const identity = {
  source: 'certificate',
  kubernetes: { namespace: 'shop', serviceAccount: 'frontend' },
  spiffeId: WORKLOAD,
  trustDomain: 'example.org',
  path: '/ns/shop/sa/frontend',
  notAfter: NOW + HOUR,
  fingerprint: leaf.hash,
  thumbprint: Buffer.from(leaf.hash, 'hex').toString('base64url'),
};

describe('the peer certificate', () => {
  const { verifier } = setUp();

  test('gives the workload its identity', () => {
    expect(verifier.verify(peer(leaf), NOW)).toEqual(identity);
    expect(identity.thumbprint).toMatch(/^[A-Za-z0-9_-]{43}$/);
  });

  test.each(['spiffe://example.org/admin', '', 'CN=x', `${WORKLOAD}/`, WORKLOAD.toUpperCase()])(
    'trap 25: is refused when the principal disagrees: %j',
    (principal) => {
      expect(setUp().verifier.verify(peer(leaf, { principal }), NOW)).toEqual(refused('principal_mismatch'));
      // A warm cache compares as well.
      verifier.verify(peer(leaf), NOW);
      expect(verifier.verify(peer(leaf, { principal }), NOW)).toEqual(refused('principal_mismatch'));
    },
  );

  test('trap 26: from a rogue CA is refused, though Envoy accepted it', async () => {
    const rogue = await TestCa.create();
    expect(verifier.verify(peer(await rogue.issue()), NOW)).toEqual(refused('certificate_untrusted'));
  });

  test('trap 27: is untrusted when its intermediate is missing', async () => {
    const intermediate = await TestCa.create({ name: 'CN=intermediate', issuer: ca });
    const below = await intermediate.issue();
    expect(verifier.verify(peer(below), NOW)).toEqual(refused('certificate_untrusted'));
  });

  test('is trusted when its intermediate stands in the bundle beside the root', async () => {
    const intermediate = await TestCa.create({ name: 'CN=intermediate', issuer: ca });
    const below = await intermediate.issue();
    const { verifier, swap } = setUp();
    swap(
      new TrustBundles([bundle('example.org', ca.certificate.pem + '\n' + intermediate.certificate.pem)], 2),
    );
    expect(verifier.verify(peer(below), NOW)).toMatchObject({ spiffeId: WORKLOAD });
  });

  test('trap 28: is missing when there is none, whatever the principal', () => {
    for (const principal of ['', WORKLOAD]) {
      const evidence = evidenceOf({ principal });
      expect(verifier.verify(evidence, NOW)).toEqual(refused('certificate_missing'));
    }
  });

  test('trap 29: with DNS names only has no SPIFFE ID, even where the name looks like one', async () => {
    for (const name of ['frontend.shop', WORKLOAD]) {
      const dnsOnly = await ca.issue({ uris: [], dns: [name] });
      expect(verifier.verify(peer(dnsOnly, { principal: name }), NOW)).toEqual(refused('spiffe_id_missing'));
    }
  });

  test('trap 30: expires while the connection lives', async () => {
    const { verifier } = setUp();
    const short = await ca.issue({ notAfter: NOW + 1000 });
    expect(verifier.verify(peer(short), NOW + 1000)).toMatchObject({ notAfter: NOW + 1000 });
    expect(verifier.verify(peer(short), NOW + 1001)).toEqual(refused('certificate_expired'));
    expect(verifier.verify(peer(leaf), NOW + HOUR)).toEqual(identity);
    expect(verifier.verify(peer(leaf), NOW + HOUR + 1)).toEqual(refused('certificate_expired'));
  });

  test('trap 30: is refused too when its authority expires first', async () => {
    const old = await TestCa.create({ notAfter: NOW + 1000 });
    const { verifier, swap } = setUp();
    swap(new TrustBundles([bundle('example.org', old.certificate.pem)], 2));
    const evidence = peer(await old.issue());
    expect(verifier.verify(evidence, NOW + 1000)).toMatchObject({ notAfter: NOW + 1000 });
    expect(verifier.verify(evidence, NOW + 1001)).toEqual(refused('certificate_untrusted'));
  });

  test('is not valid before its time, cached or not', async () => {
    const early = await ca.issue({ notBefore: NOW });
    expect(verifier.verify(peer(early), NOW)).toMatchObject({ spiffeId: WORKLOAD });
    expect(verifier.verify(peer(early), NOW - 1)).toEqual(refused('certificate_not_yet_valid'));
    expect(verifier.verify(peer(early), Number.NaN)).toMatchObject({ refused: true });
  });

  test('trap 31: of a CA is refused', async () => {
    const evidence = peer(await ca.issue({ ca: true }));
    expect(verifier.verify(evidence, NOW)).toEqual(refused('certificate_usage_invalid'));
  });

  test('trap 39: that names domain X is refused when it chains to the bundle of Y', async () => {
    expect(verifier.verify(peer(await foreignCa.issue()), NOW)).toEqual(refused('certificate_untrusted'));
    const principal = 'spiffe://foreign.org/a';
    const crossed = await ca.issue({ uris: [principal] });
    expect(verifier.verify(peer(crossed, { principal }), NOW)).toEqual(refused('certificate_untrusted'));
    const own = await foreignCa.issue({ uris: [principal] });
    expect(verifier.verify(peer(own, { principal }), NOW)).toMatchObject({ trustDomain: 'foreign.org' });
  });

  test('trap 40: of a domain whose bundle is empty is refused', async () => {
    const principal = 'spiffe://withdrawn.org/a';
    const withdrawn = await ca.issue({ uris: [principal] });
    expect(verifier.verify(peer(withdrawn, { principal }), NOW)).toEqual(refused('trust_bundle_unavailable'));
  });

  test('of an unknown domain is refused', async () => {
    const principal = 'spiffe://unknown.org/a';
    const unknown = await ca.issue({ uris: [principal] });
    expect(verifier.verify(peer(unknown, { principal }), NOW)).toEqual(refused('trust_domain_unknown'));
  });

  test('trap 44: is what counts, and XFCC is ignored where it was not configured', async () => {
    const other = await ca.issue({ uris: ['spiffe://example.org/admin'] });
    const forged = xfccText({ leaf: other, uris: ['spiffe://example.org/admin'] });
    expect(verifier.verify(peer(leaf, { forwardedClientCert: [forged] }), NOW)).toEqual(identity);
    expect(verifier.verify(forwarded(forged), NOW)).toEqual(refused('certificate_missing'));
  });
});

describe('x-forwarded-client-cert, where it is the source', () => {
  const element = xfccText({ leaf, uris: [WORKLOAD] });

  test('gives the identity of the certificate that a trusted hop saw', () => {
    const { verifier } = setUp('xfcc');
    const seen = { ...identity, source: 'xfcc' };
    expect(verifier.verify(forwarded(element), NOW)).toEqual(seen);
    expect(verifier.verify(forwarded('By=x;Hash=y', element), NOW)).toEqual(seen);
  });

  test("is the only source: the hop's own certificate says nothing of the workload", () => {
    const { verifier } = setUp('xfcc');
    expect(verifier.verify(peer(leaf), NOW)).toEqual(refused('xfcc_missing'));
  });

  test('brings the intermediates that lead to an authority', async () => {
    const { verifier } = setUp('xfcc');
    const intermediate = await TestCa.create({ name: 'CN=intermediate', issuer: ca, notAfter: NOW + 1000 });
    const below = await intermediate.issue();
    const alone = xfccText({ leaf: below, uris: [WORKLOAD] });
    const whole = xfccText({ leaf: below, uris: [WORKLOAD], intermediates: [intermediate.certificate] });
    expect(verifier.verify(forwarded(whole), NOW)).toMatchObject({
      spiffeId: WORKLOAD,
      notAfter: NOW + 1000,
    });
    expect(verifier.verify(forwarded(alone), NOW)).toEqual(refused('certificate_untrusted'));
    expect(verifier.verify(forwarded(whole), NOW + 1001)).toEqual(refused('certificate_untrusted'));
  });

  test('is verified like any certificate', async () => {
    const { verifier } = setUp('xfcc');
    const rogue = await (await TestCa.create()).issue();
    const line = xfccText({ leaf: rogue, uris: [WORKLOAD] });
    expect(verifier.verify(forwarded(line), NOW)).toEqual(refused('certificate_untrusted'));
  });

  test('trap 45: gives nobody the identity that was smuggled in a URI', async () => {
    const { verifier } = setUp('xfcc');
    const uris = ['spiffe://a/b;By=spiffe://example.org/gateway'];
    const smuggler = await ca.issue({ uris });
    expect(verifier.verify(forwarded(xfccText({ leaf: smuggler, uris })), NOW)).toMatchObject({
      refused: true,
    });
    // The victim's certificate is no secret: here the attacker has it certified as part of its own name.
    const victims = [`spiffe://a/b,Hash=${leaf.hash};Cert="${leaf.encoded}";URI=${WORKLOAD}`];
    const thief = await ca.issue({ uris: victims });
    const line = xfccText({ leaf: thief, uris: victims });
    expect(verifier.verify(forwarded(line), NOW)).toEqual(refused('xfcc_malformed'));
    verifier.verify(forwarded(element), NOW);
    expect(verifier.verify(forwarded(line), NOW)).toEqual(refused('xfcc_malformed'));
  });
});

describe('what was verified', () => {
  const verifySignature = jest.spyOn(X509Certificate.prototype, 'verify');
  beforeEach(() => verifySignature.mockClear());
  afterAll(() => verifySignature.mockRestore());

  test('is not verified again', () => {
    const { verifier } = setUp();
    const first = verifier.verify(peer(leaf), NOW);
    expect(verifier.verify(peer(leaf), NOW + 1)).toBe(first);
    expect(verifySignature).toHaveBeenCalledTimes(1);
  });

  test('is verified again after a swap of bundles, even to the same revision', () => {
    const { verifier, swap } = setUp();
    verifier.verify(peer(leaf), NOW);
    swap(new TrustBundles([bundle('example.org', foreignCa.certificate.pem)], 1));
    expect(verifier.verify(peer(leaf), NOW)).toEqual(refused('certificate_untrusted'));
    swap(new TrustBundles([], 2));
    expect(verifier.verify(peer(leaf), NOW)).toEqual(refused('trust_domain_unknown'));
    swap(trusted);
    expect(verifier.verify(peer(leaf), NOW)).toEqual(identity);
  });

  test('is remembered for so many certificates and no more', async () => {
    const { verifier } = setUp('certificate', 1);
    const other = await ca.issue();
    for (const certificate of [leaf, other, leaf]) verifier.verify(peer(certificate), NOW);
    expect(verifySignature).toHaveBeenCalledTimes(3);
  });

  test('is not remembered when it was refused', async () => {
    const { verifier } = setUp();
    const rogue = await foreignCa.issue();
    for (const time of [NOW, NOW]) verifier.verify(peer(rogue), time);
    verifier.verify(peer(leaf), NOW);
    verifier.verify(peer(await ca.issue({ notAfter: NOW - 1000 })), NOW);
    expect(verifier.verify(peer(leaf), NOW)).toEqual(identity);
    expect(verifySignature).toHaveBeenCalledTimes(2);
  });
});

describe('in whatever order certificates, times and bundles come', () => {
  test('the answer is the one that a verifier without memory gives', async () => {
    const successor = await TestCa.create();
    const leaves = [
      leaf,
      await ca.issue({ notAfter: NOW + 10000 }),
      await ca.issue({ notBefore: NOW + 5000 }),
      await successor.issue({ notAfter: NOW + 9000 }),
      await foreignCa.issue(),
    ];
    const sets = [
      trusted,
      new TrustBundles([bundle('example.org', successor.certificate.pem)], 2),
      new TrustBundles([bundle('example.org', ca.certificate.pem + successor.certificate.pem)], 3),
      new TrustBundles([bundle('example.org', '{"keys": []}')], 4),
    ];
    const step = fc.record({
      certificate: fc.constantFrom(...leaves),
      bundles: fc.constantFrom(...sets),
      now: fc.constantFrom(...[0, 4999, 5000, 5001, 9000, 9001, HOUR, HOUR + 1].map((ms) => NOW + ms)),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const { verifier, swap } = setUp('certificate', 3);
        for (const { certificate, bundles, now } of steps) {
          swap(bundles);
          const fresh = createIdentityVerifier({
            source: 'certificate',
            bundles: { current: () => bundles },
          });
          expect(verifier.verify(peer(certificate), now)).toEqual(fresh.verify(peer(certificate), now));
        }
      }),
      { numRuns: 50 },
    );
  });
});
