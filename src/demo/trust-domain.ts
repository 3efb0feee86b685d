import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { isRefusal } from '../errors/refusal.js';
import { parseWorkloadId } from '../identity/spiffe-id.js';

export interface TrustDomainOptions {
  /** How long the authority is valid, in milliseconds from now. Default a day. */
  readonly ttlMs?: number;
  /** Whether an intermediate stands between the authority and the workloads. Default false. */
  readonly intermediate?: boolean;
}

export interface SvidOptions {
  /** Until notAfter, in milliseconds from notBefore where that is given, else from now. Default an hour. */
  readonly ttlMs?: number;
  /** Milliseconds since the epoch. Default a minute ago, for clocks that are a little behind. */
  readonly notBefore?: number;
  /** DNS names beside the SPIFFE ID, for a server that clients call by name. */
  readonly dns?: readonly string[];
}

/** An X509-SVID with its key, as Envoy, curl and node:https take them. */
export interface Svid {
  readonly spiffeId: string;
  /** The leaf alone. */
  readonly certPem: string;
  /** The leaf, then the intermediate where the domain has one: what a TLS peer shows. */
  readonly chainPem: string;
  /** PKCS #8. */
  readonly keyPem: string;
}

/** A trust domain that lives in memory only. */
export interface TrustDomain {
  readonly name: string;
  /** Its trust bundle: the authority, in PEM. */
  readonly bundlePem: string;
  /** What issues the workloads' certificates: the intermediate where there is one, else the authority. */
  readonly caCertPem: string;
  /**
   * @param path of the workload, with its leading slash
   * @throws Error when name and path make no SPIFFE ID
   */
  issueSvid(path: string, options?: SvidOptions): Promise<Svid>;
}

interface Issuer {
  readonly certificate: x509.X509Certificate;
  readonly keys: webcrypto.CryptoKeyPair;
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const CA_USAGES = x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign;

x509.cryptoProvider.set(globalThis.crypto);

/** Makes a trust domain: an authority on P-256, and workload certificates that real TLS peers accept. */
export async function mintTrustDomain(name: string, options: TrustDomainOptions = {}): Promise<TrustDomain> {
  const ttlMs = options.ttlMs ?? 24 * HOUR;
  const root = await mintAuthority(name, ttlMs);
  const issuer = options.intermediate ? await mintIntermediate(name, ttlMs, root) : root;
  const caCertPem = pem(issuer.certificate);
  return {
    name,
    bundlePem: pem(root.certificate),
    caCertPem,
    issueSvid: async (path, svid) => {
      const { certPem, ...rest } = await issueSvid(`spiffe://${name}${path}`, issuer, svid);
      return { ...rest, certPem, chainPem: issuer === root ? certPem : certPem + caCertPem };
    },
  };
}

async function mintAuthority(name: string, ttlMs: number): Promise<Issuer> {
  const keys = await generateKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: [{ O: ['Countersign demo'] }, { CN: [name] }],
    keys,
    signingAlgorithm: ALGORITHM,
    ...lifetime(ttlMs),
    extensions: await authorityExtensions(name, keys),
  });
  return { certificate, keys };
}

async function mintIntermediate(name: string, ttlMs: number, root: Issuer): Promise<Issuer> {
  const keys = await generateKeys();
  const certificate = await x509.X509CertificateGenerator.create({
    subject: [{ O: ['Countersign demo'] }, { CN: [`${name} intermediate`] }],
    issuer: root.certificate.subjectName,
    publicKey: keys.publicKey,
    signingKey: root.keys.privateKey,
    signingAlgorithm: ALGORITHM,
    ...lifetime(ttlMs),
    extensions: [...(await authorityExtensions(name, keys, 0)), await identifierOf(root)],
  });
  return { certificate, keys };
}

async function authorityExtensions(
  name: string,
  keys: webcrypto.CryptoKeyPair,
  pathLength?: number,
): Promise<x509.Extension[]> {
  return [
    new x509.BasicConstraintsExtension(true, pathLength, true),
    new x509.KeyUsagesExtension(CA_USAGES, true),
    new x509.SubjectAlternativeNameExtension([{ type: 'url', value: `spiffe://${name}` }]),
    await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
  ];
}

async function issueSvid(
  spiffeId: string,
  issuer: Issuer,
  { ttlMs = HOUR, notBefore, dns = [] }: SvidOptions = {},
): Promise<Omit<Svid, 'chainPem'>> {
  const id = parseWorkloadId(spiffeId);
  if (isRefusal(id)) throw new Error(id.detail);
  const keys = await generateKeys();
  const certificate = await x509.X509CertificateGenerator.create({
    subject: [{ O: ['Countersign demo'] }],
    issuer: issuer.certificate.subjectName,
    publicKey: keys.publicKey,
    signingKey: issuer.keys.privateKey,
    signingAlgorithm: ALGORITHM,
    ...lifetime(ttlMs, notBefore),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([
        x509.ExtendedKeyUsage.serverAuth,
        x509.ExtendedKeyUsage.clientAuth,
      ]),
      new x509.SubjectAlternativeNameExtension([
        { type: 'url', value: spiffeId },
        ...dns.map((name) => ({ type: 'dns' as const, value: name })),
      ]),
      await identifierOf(issuer),
    ],
  });
  const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  return {
    spiffeId,
    certPem: pem(certificate),
    keyPem: `${x509.PemConverter.encode(key, 'PRIVATE KEY')}\n`,
  };
}

function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, [
    'sign',
    'verify',
  ]) as Promise<webcrypto.CryptoKeyPair>;
}

function identifierOf(issuer: Issuer): Promise<x509.AuthorityKeyIdentifierExtension> {
  return x509.AuthorityKeyIdentifierExtension.create(issuer.keys.publicKey);
}

function lifetime(ttlMs: number, notBefore?: number): { notBefore: Date; notAfter: Date } {
  const now = Date.now();
  return { notBefore: new Date(notBefore ?? now - MINUTE), notAfter: new Date((notBefore ?? now) + ttlMs) };
}

function pem(certificate: x509.X509Certificate): string {
  return `${certificate.toString('pem')}\n`;
}
