import { X509Certificate, createHash } from 'node:crypto';
import { isRefusal, refuse, type Refusal } from '../errors/refusal.js';
import { readFields, type CertificateFields } from './certificate-fields.js';
import { DerError, DerReader, TAG } from '../asn1/der.js';
import { decodePem } from './pem.js';

/** A certificate as it was read; nothing says yet that anyone vouches for it. */
export interface Certificate {
  readonly der: Buffer;
  /** For signatures and names of issuers; everything else comes from `fields`. */
  readonly x509: X509Certificate;
  readonly fields: CertificateFields;
}

type Malformed = Refusal<'certificate_malformed'>;

const MAX_BYTES = 64 * 1024;

/** Reads one certificate (RFC 5280) from its DER. */
export function readCertificate(der: Buffer): Certificate | Malformed {
  if (der.length > MAX_BYTES) return malformed(`larger than ${MAX_BYTES} bytes`);
  let x509: X509Certificate;
  let fields: CertificateFields;
  try {
    fields = readFields(der);
    x509 = new X509Certificate(der);
  } catch (error) {
    return malformed(error instanceof DerError ? error.message : 'not readable as X.509');
  }
  // node:crypto looks for PEM first: a certificate that carries another one's PEM in some field would be
  // read as that other one.
  return x509.raw.equals(der) ? { der, x509, fields } : malformed('it holds another certificate');
}

/** Parts certificates that follow each other in DER, as the Workload API sends them; undefined for anything else. */
export function splitDer(bytes: Buffer): Buffer[] | undefined {
  const reader = new DerReader(bytes);
  const certificates: Buffer[] = [];
  try {
    for (let at = 0; at < bytes.length;) {
      const { content } = reader.next(TAG.SEQUENCE);
      const end = content.byteOffset + content.length - bytes.byteOffset;
      certificates.push(bytes.subarray(at, end));
      at = end;
    }
    return certificates;
  } catch {
    return undefined;
  }
}

/**
 * Reads the certificate of `source.certificate`
 * (envoy.service.auth.v3.AttributeContext.Peer): PEM, URL-encoded.
 *
 * @param text empty when Envoy sent none
 */
export function readEnvoyCertificate(text: string): Certificate | Refusal<'certificate_missing'> | Malformed {
  if (text === '') return refuse('certificate_missing', 'the peer showed no certificate');
  const certificates = readEnvoyCertificates(text);
  if (isRefusal(certificates)) return certificates;
  const [certificate, ...others] = certificates;
  return certificate !== undefined && others.length === 0
    ? certificate
    : malformed('more than one certificate');
}

/** Reads one or more certificates in Envoy's URL-encoded PEM, such as `Chain` in XFCC. */
export function readEnvoyCertificates(text: string): Certificate[] | Malformed {
  if (text.length > MAX_BYTES) return malformed(`larger than ${MAX_BYTES} bytes`);
  const pem = decodePercent(text);
  if (pem === undefined) return malformed('its URL encoding is broken');
  const blocks = decodePem(pem);
  if (isRefusal(blocks)) return malformed(blocks.detail);
  const certificates: Certificate[] = [];
  for (const block of blocks) {
    const certificate = readCertificate(block);
    if (isRefusal(certificate)) return certificate;
    certificates.push(certificate);
  }
  return certificates;
}

/** SHA-256 of the DER: `hex` is how XFCC's Hash writes it, `base64url` how RFC 8705 does. */
export function sha256(certificate: Certificate): { hex: string; base64url: string } {
  const digest = createHash('sha256').update(certificate.der).digest();
  return { hex: digest.toString('hex'), base64url: digest.toString('base64url') };
}

function decodePercent(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function malformed(what: string): Malformed {
  return refuse('certificate_malformed', `not a certificate: ${what}`);
}
