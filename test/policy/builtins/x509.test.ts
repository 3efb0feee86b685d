import 'reflect-metadata';
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { beforeAll, describe, expect, it } from '@jest/globals';
import {
  EKU,
  KeyUsageFlags,
  NOW,
  TestCa,
  nameConstraints,
  unknownExtension,
  type TestCertificate,
} from '../../support/ca.js';
import { call, failure } from './context.js';

const AT = BigInt(NOW) * 1_000_000n;

let root: TestCa;
let intermediate: TestCa;
let leaf: TestCertificate;

beforeAll(async () => {
  root = await TestCa.create({ name: 'CN=root, O=Org, C=DE' });
  intermediate = await TestCa.create({ name: 'CN=intermediate', issuer: root, pathLength: 0 });
  leaf = await intermediate.issue({
    uris: ['spiffe://example.org/a%20b?q'],
    dns: ['a.example.org', '*.w.example.org'],
  });
});

interface Described {
  readonly [name: string]: unknown;
}

const pem = (...certificates: (TestCertificate | TestCa)[]) =>
  certificates.map((one) => (one instanceof TestCa ? one.certificate : one).pem.trim()).join('\n');

function verify(text: string, options: object = {}): [boolean, Described[]] {
  const given = { CurrentTime: Number(AT), ...options };
  return call('crypto.x509.parse_and_verify_certificates_with_options', text, given) as [
    boolean,
    Described[],
  ];
}

describe('crypto.x509.parse_certificates', () => {
  it("gives Go's members of a certificate, and its URIs as texts besides", () => {
    const [found] = call('crypto.x509.parse_certificates', pem(leaf)) as [Described];
    const node = new X509Certificate(leaf.der);
    expect(found).toMatchObject({
      Raw: leaf.der.toString('base64'),
      Version: 3,
      SignatureAlgorithm: 10,
      PublicKeyAlgorithm: 3,
      KeyUsage: 1,
      ExtKeyUsage: [1, 2],
      IsCA: false,
      BasicConstraintsValid: true,
      MaxPathLen: -1,
      DNSNames: ['a.example.org', '*.w.example.org'],
      EmailAddresses: null,
      URIStrings: ['spiffe://example.org/a%20b?q'],
      PolicyIdentifiers: null,
    });
    expect(found.NotAfter).toBe(new Date(node.validTo).toISOString().replace('.000', ''));
    expect(BigInt(found.SerialNumber as bigint)).toBe(BigInt(`0x${node.serialNumber}`));
    expect(found.URIs).toMatchObject([
      { Scheme: 'spiffe', Host: 'example.org', Path: '/a b', RawQuery: 'q', User: null },
    ]);
    expect(found.Subject).toMatchObject({ Organization: ['workloads'], CommonName: '', Country: null });
  });

  it('reads DER and PEM in base64, one after the other', () => {
    const text = pem(leaf, root);
    const both = Buffer.concat([leaf.der, root.certificate.der]).toString('base64');
    for (const form of [text, Buffer.from(text).toString('base64'), both]) {
      expect(call('crypto.x509.parse_certificates', form)).toHaveLength(2);
    }
  });

  it.each([
    ['foobar', /^illegal base64/],
    ['YmFkc3RyaW5n', /^x509: malformed certificate/],
    ['-----BEGIN X-----\nYQ==\n-----END X-----\n', /^PEM block is not a CERTIFICATE/],
  ])('refuses %s', (text, message) => {
    expect(failure('crypto.x509.parse_certificates', text)).toMatch(message);
  });

  it('reads or refuses a certificate with any one byte changed, and never falls over', () => {
    let refused = 0;
    for (let i = 0; i < leaf.der.length; i++) {
      const changed = Buffer.from(leaf.der);
      changed[i]! ^= 0x80;
      try {
        call('crypto.x509.parse_certificates', changed.toString('base64'));
      } catch (error) {
        expect((error as Error).name).toBe('BuiltinError');
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(100);
  });
});

describe('crypto.x509.parse_and_verify_certificates_with_options', () => {
  it('gives the chain, leaf first', () => {
    const [valid, chain] = verify(pem(root, intermediate, leaf));
    expect(valid).toBe(true);
    expect(chain.map(({ Raw }) => Raw)).toEqual(
      [leaf, intermediate.certificate, root.certificate].map(({ der }) => der.toString('base64')),
    );
    expect(chain[0]).not.toHaveProperty('URIStrings');
  });

  it("has one instant when nobody names another: the evaluation's", () => {
    expect(call('crypto.x509.parse_and_verify_certificates', pem(root, intermediate, leaf))).toEqual([
      false,
      [],
    ]);
  });

  it.each([
    [{ DNSName: 'A.example.org.' }, true],
    [{ DNSName: 'x.w.example.org' }, true],
    [{ DNSName: 'x.y.w.example.org' }, false],
    [{ DNSName: '10.0.0.1' }, false],
    [{ KeyUsages: ['KeyUsageClientAuth'] }, true],
    [{ KeyUsages: ['KeyUsageCodeSigning'] }, false],
    [{ KeyUsages: ['KeyUsageAny'] }, true],
    [{ CurrentTime: 0 }, false],
  ])('with %j is %s', (options, expected) => {
    expect(verify(pem(root, intermediate, leaf), options)[0]).toBe(expected);
  });

  it.each([
    [{ DNSName: 1 }, "'DNSName' should be a string"],
    [{ KeyUsages: ['x'] }, "invalid entries for 'KeyUsages' found"],
    [{ CurrentTime: 0.5 }, "'CurrentTime' should be a valid int64 number"],
    [{ Roots: [] }, 'invalid key option'],
  ])('refuses %j', (options, message) => {
    const name = 'crypto.x509.parse_and_verify_certificates_with_options';
    expect(failure(name, pem(root, intermediate, leaf), options)).toBe(message);
  });

  it('is false without the certificate between, for a foreign root, for one certificate, and for none', async () => {
    const other = await TestCa.create({ name: 'CN=root, O=Org, C=DE' });
    for (const text of [pem(root, leaf), pem(other, intermediate, leaf), pem(root), 'x']) {
      expect(verify(text)).toEqual([false, []]);
    }
  });

  it('holds CAs to what they are: path length, the right to sign, names, critical extensions, time', async () => {
    const below = await TestCa.create({ name: 'CN=below', issuer: intermediate });
    const faults = [
      { ca: false },
      { keyUsage: KeyUsageFlags.digitalSignature },
      { extensions: [unknownExtension(true)] },
      { notAfter: NOW - 1000 },
      { extensions: [nameConstraints(['elsewhere.example'])] },
    ];
    expect(verify(pem(root, intermediate, below, await below.issue()))[0]).toBe(false);
    for (const fault of faults) {
      const ca = await TestCa.create({ name: 'CN=faulty', issuer: root, ...fault });
      expect(verify(pem(root, ca, await ca.issue()))[0]).toBe(false);
    }
    const fine = await TestCa.create({
      name: 'CN=fine',
      issuer: root,
      extensions: [nameConstraints(['example.org'])],
    });
    expect(verify(pem(root, fine, await fine.issue()))[0]).toBe(true);
  });

  it('asks every certificate above for the usage too', async () => {
    const ca = await TestCa.create({
      name: 'CN=clients',
      issuer: root,
      extensions: [new x509.ExtendedKeyUsageExtension([EKU.clientAuth])],
    });
    const text = pem(root, ca, await ca.issue());
    expect(verify(text)[0]).toBe(false);
    expect(verify(text, { KeyUsages: ['KeyUsageClientAuth'] })[0]).toBe(true);
  });

  it('refuses a signature with SHA-1', async () => {
    const weak = await root.issue({ hash: 'SHA-1' });
    expect(verify(pem(root, weak))[0]).toBe(false);
  });

  it('ends, however many certificates of one name there are', async () => {
    const keys = root.keys;
    const many = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        TestCa.create({
          name: 'CN=loop',
          keys,
          notBefore: NOW - 1000 * (i + 2),
          extensions: [unknownExtension(false)],
        }),
      ),
    );
    const loop = await many[0]!.issue();
    const started = performance.now();
    expect(verify(pem(root, ...many, loop))[0]).toBe(false);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

describe('crypto.x509.parse_certificate_request', () => {
  it('gives subject, requested names and the attribute they came in', async () => {
    const request = await x509.Pkcs10CertificateRequestGenerator.create({
      name: 'CN=asked, C=FR',
      keys: (await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, [
        'sign',
        'verify',
      ])) as never,
      signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
      extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: 'a.example' }])],
    });
    const text = request.toString('pem');
    const found = call('crypto.x509.parse_certificate_request', text) as Described;
    expect(found).toMatchObject({
      Version: 0,
      Subject: { CommonName: 'asked', Country: ['FR'] },
      DNSNames: ['a.example'],
      Attributes: [{ Type: [1, 2, 840, 113549, 1, 9, 14] }],
      Extensions: [{ Id: [2, 5, 29, 17], Critical: false }],
    });
    const der = Buffer.from(request.rawData).toString('base64');
    expect(call('crypto.x509.parse_certificate_request', der)).toEqual(found);
    expect(call('crypto.x509.parse_certificate_request', Buffer.from(text).toString('base64'))).toEqual(
      found,
    );
  });

  it('refuses what is none', () => {
    expect(failure('crypto.x509.parse_certificate_request', 'YmFkc3RyaW5n')).toMatch(
      /^asn1: structure error/,
    );
    expect(failure('crypto.x509.parse_certificate_request', 'foobar')).toMatch(/^illegal base64/);
  });
});

describe('crypto.x509.parse_keypair', () => {
  it('gives chain, key and leaf where the key is that of the certificate', async () => {
    const pkcs8 = Buffer.from(await crypto.subtle.exportKey('pkcs8', root.keys.privateKey));
    const key = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }).export({
      type: 'sec1',
      format: 'pem',
    });
    const found = call('crypto.x509.parse_keypair', pem(root), key) as Described;
    expect(found).toMatchObject({
      Certificate: [root.certificate.der.toString('base64')],
      PrivateKey: { Curve: {} },
      Leaf: { Subject: { CommonName: 'root' } },
      OCSPStaple: null,
    });
    const inDer = [root.certificate.der.toString('base64'), pkcs8.toString('base64')];
    expect(call('crypto.x509.parse_keypair', ...inDer)).toEqual(found);
  });

  it('refuses the key of another, and says nothing of it', () => {
    const key = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' });
    expect(failure('crypto.x509.parse_keypair', pem(root), key)).toBe(
      'tls: private key does not match public key',
    );
    expect(failure('crypto.x509.parse_keypair', pem(root), 'c2VjcmV0')).toBe(
      'tls: failed to parse private key',
    );
  });
});

describe('crypto.x509.parse_rsa_private_key', () => {
  it('gives the first key as a JWK, null where there is none', () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
    const text = privateKey.export({ type: 'pkcs1', format: 'pem' });
    expect(call('crypto.x509.parse_rsa_private_key', text)).toEqual(privateKey.export({ format: 'jwk' }));
    expect(call('crypto.x509.parse_rsa_private_key', '-----BEGIN')).toBeNull();
    expect(failure('crypto.x509.parse_rsa_private_key', '')).toBe('input PEM data was empty');
  });
});
