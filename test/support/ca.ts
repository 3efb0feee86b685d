import 'reflect-metadata';
import { createHash, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import type { PeerEvidence } from '../../src/identity/types.js';

x509.cryptoProvider.set(globalThis.crypto);

export const HOUR = 3_600_000;

/** The moment that certificates without dates of their own are minted around. */
export const NOW = Date.UTC(2031, 4, 1, 12);

export const WORKLOAD = 'spiffe://example.org/ns/shop/sa/frontend';

export const EKU = { serverAuth: '1.3.6.1.5.5.7.3.1', clientAuth: '1.3.6.1.5.5.7.3.2' };

export const { KeyUsageFlags } = x509;

interface Dates {
  /** Milliseconds since the epoch. Default an hour before {@link NOW}. */
  readonly notBefore?: number;
  /** Default an hour after {@link NOW}. */
  readonly notAfter?: number;
}

export interface CaOptions extends Dates {
  readonly name?: string;
  /** Absent: the CA signs itself. */
  readonly issuer?: TestCa;
  readonly ca?: boolean;
  readonly pathLength?: number;
  /** null: without the extension. */
  readonly keyUsage?: number | null;
  readonly extensions?: readonly x509.Extension[];
  readonly keys?: webcrypto.CryptoKeyPair;
  readonly hash?: string;
}

export interface LeafOptions extends Dates {
  /** Default {@link WORKLOAD} alone. */
  readonly uris?: readonly string[];
  readonly dns?: readonly string[];
  readonly ca?: boolean;
  /** null: without the extension. */
  readonly keyUsage?: number | null;
  readonly keyUsageCritical?: boolean;
  /** null: without the extension. */
  readonly extendedKeyUsage?: readonly string[] | null;
  readonly extensions?: readonly x509.Extension[];
  readonly hash?: string;
}

/** A certificate in every form that it is met in. */
export interface TestCertificate {
  readonly der: Buffer;
  readonly pem: string;
  /** As Envoy writes it in `source.certificate`. */
  readonly encoded: string;
  /** Hex SHA-256 of the DER. */
  readonly hash: string;
}

/** An authority that issues what it is told to, good or bad. */
export class TestCa {
  private constructor(
    readonly certificate: TestCertificate,
    readonly keys: webcrypto.CryptoKeyPair,
    private readonly name: string,
  ) {}

  static async create(options: CaOptions = {}): Promise<TestCa> {
    const { name = 'CN=authority', issuer, pathLength, keyUsage = KeyUsageFlags.keyCertSign } = options;
    const keys = options.keys ?? (await generateKeys());
    const certificate = await sign(options, {
      subject: name,
      issuer: issuer?.name ?? name,
      publicKey: keys.publicKey,
      signingKey: (issuer?.keys ?? keys).privateKey,
      extensions: [
        new x509.BasicConstraintsExtension(options.ca ?? true, pathLength, true),
        ...(keyUsage === null ? [] : [new x509.KeyUsagesExtension(keyUsage, true)]),
        ...(options.extensions ?? []),
      ],
    });
    return new TestCa(certificate, keys, name);
  }

  async issue(options: LeafOptions = {}): Promise<TestCertificate> {
    return this.sign(await generateKeys(), options);
  }

  /** With its key in PKCS #8, for a workload that really speaks TLS. */
  async issueWithKey(options: LeafOptions = {}): Promise<TestCertificate & { readonly keyPem: string }> {
    const keys = await generateKeys();
    const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
    const keyPem = `${x509.PemConverter.encode(key, 'PRIVATE KEY')}\n`;
    return { ...(await this.sign(keys, options)), keyPem };
  }

  private sign(keys: webcrypto.CryptoKeyPair, options: LeafOptions): Promise<TestCertificate> {
    const { uris = [WORKLOAD], dns = [], keyUsage = KeyUsageFlags.digitalSignature } = options;
    const { extendedKeyUsage = Object.values(EKU), keyUsageCritical = true } = options;
    return sign(options, {
      subject: 'O=workloads',
      issuer: this.name,
      publicKey: keys.publicKey,
      signingKey: this.keys.privateKey,
      extensions: [
        ...(uris.length + dns.length === 0 ? [] : [alternativeNames(uris, dns)]),
        new x509.BasicConstraintsExtension(options.ca ?? false, undefined, true),
        ...(keyUsage === null ? [] : [new x509.KeyUsagesExtension(keyUsage, keyUsageCritical)]),
        ...(extendedKeyUsage === null ? [] : [new x509.ExtendedKeyUsageExtension([...extendedKeyUsage])]),
        ...(options.extensions ?? []),
      ],
    });
  }
}

/** What Envoy says of a peer: nothing, but for this. */
export function evidenceOf(given: Partial<PeerEvidence>): PeerEvidence {
  return {
    ...{ certificate: '', principal: '', forwardedClientCert: [], header: () => [], path: '' },
    ...given,
  };
}

/** What Envoy says of a peer that showed this certificate. */
export function peer(certificate: TestCertificate, others: Partial<PeerEvidence> = {}): PeerEvidence {
  return evidenceOf({ certificate: certificate.encoded, principal: WORKLOAD, ...others });
}

/** What arrives in XFCC mode. */
export function forwarded(...forwardedClientCert: string[]): PeerEvidence {
  return evidenceOf({ forwardedClientCert });
}

/** Any extension at all, its value taken as it is. */
export function extension(oid: string, critical: boolean, value: Uint8Array): x509.Extension {
  return new x509.Extension(oid, critical, value);
}

/** An extension that no one has heard of. */
export function unknownExtension(critical: boolean): x509.Extension {
  return extension('1.3.6.1.4.1.99999.1', critical, encodeDer(0x05));
}

/** Critical name constraints on URIs, or on names of another form by its context tag. */
export function nameConstraints(
  permitted: readonly string[],
  excluded: readonly string[] = [],
  tag = 0x86,
): x509.Extension {
  const subtrees = (bases: readonly string[]) =>
    bases.map((base) => encodeDer(0x30, encodeDer(tag, Buffer.from(base, 'latin1'))));
  const value = encodeDer(
    0x30,
    ...(permitted.length > 0 ? [encodeDer(0xa0, ...subtrees(permitted))] : []),
    ...(excluded.length > 0 ? [encodeDer(0xa1, ...subtrees(excluded))] : []),
  );
  return extension('2.5.29.30', true, value);
}

/** One DER element. */
export function encodeDer(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  if (content.length < 0x80) return Buffer.concat([Buffer.from([tag, content.length]), content]);
  const size = Buffer.from([content.length >> 16, (content.length >> 8) & 0xff, content.length & 0xff]);
  const shortest = size.subarray(size.findIndex((byte) => byte !== 0));
  return Buffer.concat([Buffer.from([tag, 0x80 | shortest.length]), shortest, content]);
}

/** In bytes as given: what @peculiar/x509 would refuse or encode goes into the certificate as it is. */
function alternativeNames(uris: readonly string[], dns: readonly string[]): x509.Extension {
  const names = [
    ...uris.map((uri) => encodeDer(0x86, Buffer.from(uri, 'latin1'))),
    ...dns.map((name) => encodeDer(0x82, Buffer.from(name, 'latin1'))),
  ];
  return extension('2.5.29.17', false, encodeDer(0x30, ...names));
}

type ToSign = Required<Pick<x509.X509CertificateCreateWithKeyParams, 'subject' | 'issuer' | 'extensions'>> &
  Pick<x509.X509CertificateCreateWithKeyParams, 'publicKey' | 'signingKey'>;

async function sign(options: Dates & { hash?: string }, contents: ToSign): Promise<TestCertificate> {
  const certificate = await x509.X509CertificateGenerator.create({
    ...contents,
    notBefore: new Date(options.notBefore ?? NOW - HOUR),
    notAfter: new Date(options.notAfter ?? NOW + HOUR),
    signingAlgorithm: { name: 'ECDSA', hash: options.hash ?? 'SHA-256' },
  });
  return inEveryForm(Buffer.from(certificate.rawData));
}

export function inEveryForm(der: Buffer): TestCertificate {
  const body = der.toString('base64').replace(/.{1,64}/g, '$&\n');
  const pem = `-----BEGIN CERTIFICATE-----\n${body}-----END CERTIFICATE-----\n`;
  return { der, pem, encoded: encodeURIComponent(pem), hash: createHash('sha256').update(der).digest('hex') };
}

function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
  return webcrypto.subtle.generateKey(algorithm, true, [
    'sign',
    'verify',
  ]) as Promise<webcrypto.CryptoKeyPair>;
}
