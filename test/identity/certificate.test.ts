import fc from 'fast-check';
import { isRefusal } from '../../src/errors/refusal.js';
import {
  readCertificate,
  readEnvoyCertificate,
  readEnvoyCertificates,
} from '../../src/identity/certificate.js';
import {
  EKU,
  HOUR,
  NOW,
  TestCa,
  WORKLOAD,
  encodeDer,
  extension,
  inEveryForm,
  unknownExtension,
} from '../support/ca.js';

const malformed = expect.objectContaining({ refused: true, code: 'certificate_malformed' });

const ca = await TestCa.create({ pathLength: 3 });
const leaf = await ca.issue({ dns: ['frontend.shop'], extensions: [unknownExtension(true)] });

function read(der: Buffer) {
  const certificate = readCertificate(der);
  if (isRefusal(certificate)) throw new Error(certificate.detail);
  return certificate;
}

describe('a certificate', () => {
  test('is read with what X509-SVID asks about', () => {
    expect(read(leaf.der).fields).toEqual({
      strongSignature: true,
      notBefore: NOW - HOUR,
      notAfter: NOW + HOUR,
      selfIssued: false,
      hasSubject: true,
      names: { uris: [WORKLOAD], dns: ['frontend.shop'], forms: new Set([2, 6]) },
      ca: false,
      keyUsage: { critical: true, digitalSignature: true, keyCertSign: false, crlSign: false },
      extendedKeyUsage: Object.values(EKU),
      critical: ['2.5.29.19', '2.5.29.15', '1.3.6.1.4.1.99999.1'],
    });
    expect(read(ca.certificate.der).fields).toMatchObject({ ca: true, pathLength: 3, selfIssued: true });
  });

  test('has its names byte for byte, whatever they hold', async () => {
    const uris = ['spiffe://a/b, URI:spiffe://c/d', 'spiffe://a/\0"\xff\\'];
    const odd = await ca.issue({ uris });
    expect(read(odd.der).fields.names.uris).toEqual(uris);
  });

  test('signed with SHA-1 is marked as weak', async () => {
    const weak = await ca.issue({ hash: 'SHA-1' });
    expect(read(weak.der).fields.strongSignature).toBe(false);
  });

  test('that carries the PEM of another in a field is not taken for that other', async () => {
    const victim = await ca.issue();
    const pem = Buffer.from(`\n${victim.pem}\n`);
    const carrier = await ca.issue({
      uris: ['spiffe://example.org/attacker'],
      extensions: [extension('1.3.6.1.4.1.99999.2', false, pem)],
    });
    expect(readCertificate(carrier.der)).toEqual(malformed);
  });

  test.each([
    ['nothing', Buffer.alloc(0)],
    ['bytes behind it', Buffer.concat([leaf.der, Buffer.from([0])])],
    ['its end cut off', leaf.der.subarray(0, -1)],
    ['its PEM', Buffer.from(leaf.pem)],
    ['more than 64 KiB', encodeDer(0x30, Buffer.alloc(65_536))],
  ])('is refused when the bytes are %s', (_, der) => {
    expect(readCertificate(der)).toEqual(malformed);
  });

  test('with an extension twice is refused', async () => {
    const twice = await ca.issue({ extensions: [unknownExtension(false), unknownExtension(false)] });
    expect(readCertificate(twice.der)).toEqual(malformed);
  });
});

describe('what Envoy sends as a certificate', () => {
  test('is one certificate in URL-encoded PEM', () => {
    expect(leaf.encoded).toMatch(/%2B|%2F|%3D/);
    expect(readEnvoyCertificate(leaf.encoded)).toMatchObject({ der: leaf.der });
  });

  test('keeps a plus sign that was not encoded', () => {
    expect(readEnvoyCertificate(leaf.pem)).toMatchObject({ der: leaf.der });
  });

  test('is missing when it is empty', () => {
    expect(readEnvoyCertificate('')).toMatchObject({ refused: true, code: 'certificate_missing' });
  });

  test.each([
    ['two certificates', leaf.encoded + ca.certificate.encoded],
    ['broken URL encoding', `${leaf.encoded}%2`],
    ['bytes that are no UTF-8', `%ff${leaf.encoded}`],
    ['text before the certificate', `hello%0A${leaf.encoded}`],
    ['text after the certificate', `${leaf.encoded}hello`],
    ['another kind of block', encodeURIComponent(leaf.pem.replaceAll('CERTIFICATE', 'PRIVATE KEY'))],
    ['base64 with a stray character', leaf.encoded.replace('MII', 'MI!I')],
    ['base64 without its padding', leaf.encoded.replace(/MII.*(?=-----END)/s, 'MII')],
    ['base64 with bits left over', leaf.encoded.replace(/MII.*(?=-----END)/s, 'MIJ=')],
    ['more than 64 KiB', leaf.encoded.padEnd(65_537, '\n')],
    ['a block without an end', leaf.encoded.replace(/-----END.*/s, '')],
    ['white space', '%20'],
  ])('is refused when it is %s', (_, text) => {
    expect(readEnvoyCertificate(text)).toEqual(malformed);
  });

  test('may be several certificates in Chain, of which each has to be good', () => {
    const both = readEnvoyCertificates(leaf.encoded + ca.certificate.encoded);
    expect(both).toMatchObject([{ der: leaf.der }, { der: ca.certificate.der }]);
    const broken = inEveryForm(ca.certificate.der.subarray(1));
    expect(readEnvoyCertificates(leaf.encoded + broken.encoded)).toEqual(malformed);
  });

  test('is read in linear time even when it is all white space', () => {
    expect(readEnvoyCertificate(`-----BEGIN CERTIFICATE-----${' '.repeat(65_000)}`)).toEqual(malformed);
  });
});

describe('whatever the bytes', () => {
  test('a certificate is read or refused, never thrown about', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const outcome = readCertificate(Buffer.from(bytes));
        return isRefusal(outcome) && outcome.code === 'certificate_malformed';
      }),
    );
  });

  test('a certificate with some of its bytes changed is read or refused', () => {
    const change = fc.tuple(fc.nat(leaf.der.length - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        const der = Buffer.from(leaf.der);
        for (const [at, byte] of changes) der[at] = byte;
        const outcome = readCertificate(der);
        return isRefusal(outcome) ? outcome.code === 'certificate_malformed' : outcome.der === der;
      }),
      { numRuns: 2000 },
    );
  });

  test('a text is read as a certificate or refused', () => {
    const pieces = fc.constantFrom(
      '%',
      '%0A',
      '-----BEGIN CERTIFICATE-----',
      'MIIB',
      '=',
      '-----END CERTIFICATE-----',
    );
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(pieces).map((all) => all.join('')),
    );
    fc.assert(fc.property(text, (some) => isRefusal(readEnvoyCertificate(some))));
  });
});
