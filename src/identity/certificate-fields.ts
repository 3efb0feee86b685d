import {
  DerError,
  DerReader,
  TAG,
  decodeBits,
  decodeBoolean,
  decodeOid,
  decodeSmallInteger,
  decodeTime,
  readAll,
  readOnly,
} from '../asn1/der.js';
import { readGeneralNames, readNameConstraints } from './general-names.js';
import type { AlternativeNames, NameConstraints } from './general-names.js';
import { isStrongSignature } from './signature-algorithm.js';

/** Extensions that are read (RFC 5280 section 4.2.1). */
export const EXTENSION = {
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  extendedKeyUsage: '2.5.29.37',
} as const;

export interface KeyUsage {
  readonly critical: boolean;
  readonly digitalSignature: boolean;
  readonly keyCertSign: boolean;
  readonly crlSign: boolean;
}

/** What the rules of X509-SVID and of the path ask about a certificate, read from its DER. */
export interface CertificateFields {
  /** Whether its signature's hash resists collisions. */
  readonly strongSignature: boolean;
  /** Milliseconds since the epoch, both inclusive (RFC 5280 section 4.1.2.5). */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly selfIssued: boolean;
  readonly hasSubject: boolean;
  readonly names: AlternativeNames;
  readonly ca: boolean;
  /** How many intermediates may follow; absent where the CA sets no limit. */
  readonly pathLength?: number;
  readonly keyUsage?: KeyUsage;
  /** OIDs in dotted form. */
  readonly extendedKeyUsage?: readonly string[];
  readonly nameConstraints?: NameConstraints;
  /** OIDs, in dotted form, of every critical extension. */
  readonly critical: readonly string[];
}

/**
 * Reads an X.509 v3 certificate (RFC 5280 section 4.1).
 *
 * node:crypto gives neither the bits of keyUsage nor what is critical, and its subjectAltName is a text for
 * people, in which names may be quoted: hence our own reading.
 *
 * @throws DerError when the bytes are anything but one certificate in DER
 */
export function readFields(der: Buffer): CertificateFields {
  const certificate = new DerReader(readOnly(der, TAG.SEQUENCE));
  const tbs = new DerReader(certificate.next(TAG.SEQUENCE).content);
  const signatureAlgorithm = certificate.next(TAG.SEQUENCE).content;
  certificate.next(TAG.BIT_STRING);
  certificate.end();

  const version = tbs.optional(0xa0);
  if (version === undefined || decodeSmallInteger(readOnly(version, TAG.INTEGER)) !== 2) {
    throw new DerError('not an X.509 certificate of version 3');
  }
  tbs.next(TAG.INTEGER);
  if (!tbs.next(TAG.SEQUENCE).content.equals(signatureAlgorithm)) {
    throw new DerError('it names two signature algorithms');
  }
  const issuer = tbs.next(TAG.SEQUENCE).content;
  const validity = new DerReader(tbs.next(TAG.SEQUENCE).content);
  const notBefore = decodeTime(validity.next());
  const notAfter = decodeTime(validity.next());
  validity.end();
  const subject = tbs.next(TAG.SEQUENCE).content;
  tbs.next(TAG.SEQUENCE);
  tbs.optional(0x81);
  tbs.optional(0x82);
  const extensions = tbs.optional(0xa3);
  tbs.end();
  return {
    strongSignature: isStrongSignature(signatureAlgorithm),
    notBefore,
    notAfter,
    selfIssued: issuer.equals(subject),
    hasSubject: subject.length > 0,
    ...readExtensions(
      extensions === undefined ? [] : readAll(readOnly(extensions, TAG.SEQUENCE), TAG.SEQUENCE),
    ),
  };
}

type ExtensionFields = Omit<
  CertificateFields,
  'strongSignature' | 'notBefore' | 'notAfter' | 'selfIssued' | 'hasSubject'
>;

function readExtensions(elements: readonly { content: Buffer }[]): ExtensionFields {
  const values = new Map<string, Buffer>();
  const critical: string[] = [];
  for (const { content } of elements) {
    const reader = new DerReader(content);
    const oid = decodeOid(reader.next(TAG.OID).content);
    const flag = reader.optional(TAG.BOOLEAN);
    if (flag !== undefined && decodeBoolean(flag)) critical.push(oid);
    const value = reader.next(TAG.OCTET_STRING).content;
    reader.end();
    if (values.has(oid)) throw new DerError(`extension ${oid} occurs twice`);
    values.set(oid, value);
  }
  const keyUsage = values.get(EXTENSION.keyUsage);
  const extendedKeyUsage = values.get(EXTENSION.extendedKeyUsage);
  const alternativeNames = values.get(EXTENSION.subjectAltName);
  const nameConstraints = values.get(EXTENSION.nameConstraints);
  return {
    ...readBasicConstraints(values.get(EXTENSION.basicConstraints)),
    ...(keyUsage && { keyUsage: readKeyUsage(keyUsage, critical.includes(EXTENSION.keyUsage)) }),
    ...(extendedKeyUsage && { extendedKeyUsage: readOids(extendedKeyUsage) }),
    ...(nameConstraints && { nameConstraints: readNameConstraints(nameConstraints) }),
    names: alternativeNames ? readGeneralNames(alternativeNames) : { uris: [], dns: [], forms: new Set() },
    critical,
  };
}

function readBasicConstraints(value: Buffer | undefined): { ca: boolean; pathLength?: number } {
  if (value === undefined) return { ca: false };
  const reader = new DerReader(readOnly(value, TAG.SEQUENCE));
  const ca = reader.optional(TAG.BOOLEAN);
  const pathLength = reader.optional(TAG.INTEGER);
  reader.end();
  return {
    ca: ca !== undefined && decodeBoolean(ca),
    ...(pathLength && { pathLength: decodeSmallInteger(pathLength) }),
  };
}

function readKeyUsage(value: Buffer, critical: boolean): KeyUsage {
  const bits = decodeBits(readOnly(value, TAG.BIT_STRING))[0] ?? 0;
  return {
    critical,
    digitalSignature: (bits & 0x80) !== 0,
    keyCertSign: (bits & 0x04) !== 0,
    crlSign: (bits & 0x02) !== 0,
  };
}

function readOids(value: Buffer): string[] {
  return readAll(readOnly(value, TAG.SEQUENCE), TAG.OID).map(({ content }) => decodeOid(content));
}
