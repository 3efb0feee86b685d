import { DerReader, TAG, decodeOid, readOnly } from '../asn1/der.js';

const SHA2 = ['2.16.840.1.101.3.4.2.1', '2.16.840.1.101.3.4.2.2', '2.16.840.1.101.3.4.2.3'];

const RSASSA_PSS = '1.2.840.113549.1.1.10';

/** RSA and ECDSA with SHA-256, SHA-384 and SHA-512; Ed25519 and Ed448. */
const STRONG = [
  '1.2.840.113549.1.1.11',
  '1.2.840.113549.1.1.12',
  '1.2.840.113549.1.1.13',
  '1.2.840.10045.4.3.2',
  '1.2.840.10045.4.3.3',
  '1.2.840.10045.4.3.4',
  '1.3.101.112',
  '1.3.101.113',
];

/**
 * Whether a signature's AlgorithmIdentifier is one whose hash still resists collisions. OpenSSL verifies a
 * SHA-1 signature as gladly as any other when it is asked about one certificate alone.
 *
 * @throws DerError
 */
export function isStrongSignature(algorithm: Buffer): boolean {
  const reader = new DerReader(algorithm);
  const oid = decodeOid(reader.next(TAG.OID).content);
  return oid === RSASSA_PSS ? SHA2.includes(pssHash(reader)) : STRONG.includes(oid);
}

/** RFC 4055 section 3.1; its default, where none is named, is SHA-1. */
function pssHash(reader: DerReader): string {
  const hash = new DerReader(reader.next(TAG.SEQUENCE).content).optional(0xa0);
  return hash === undefined
    ? ''
    : decodeOid(new DerReader(readOnly(hash, TAG.SEQUENCE)).next(TAG.OID).content);
}
