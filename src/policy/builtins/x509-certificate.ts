import { DerError, DerReader, TAG, decodeTime, readAll, readOnly } from '../../asn1/der.js';
import { fromInteger } from '../number.js';
import { RegoObject, type RegoValue } from '../value.js';
import { BuiltinError } from './builtin.js';
import { Extensions, readExtensions } from './x509-extensions.js';
import {
  readPublicKey,
  readSignatureAlgorithm,
  type PublicKey,
  type SignatureAlgorithm,
} from './x509-keys.js';
import { uriStrings } from './x509-names.js';
import { bytes, encodeElement, readBitString, readInteger, readName } from './x509-values.js';

/** A certificate (RFC 5280 section 4.1) as Go's crypto/x509 reads it. */
export interface Certificate {
  readonly raw: Buffer;
  readonly tbs: Buffer;
  readonly version: number;
  readonly serialNumber: bigint;
  readonly issuer: Buffer;
  readonly subject: Buffer;
  /** The two names as Go's JSON has them. */
  readonly names: { readonly issuer: RegoValue; readonly subject: RegoValue };
  /** Milliseconds since the epoch, both inclusive. */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly spki: Buffer;
  readonly publicKey: PublicKey;
  readonly extensions: Extensions;
  readonly signatureAlgorithm: SignatureAlgorithm;
  readonly signature: Buffer;
}

/** Certificates one after the other, in DER. @throws BuiltinError where one of them is none */
export function readCertificates(der: Buffer): Certificate[] {
  try {
    return readAll(der, TAG.SEQUENCE).map((element) => readCertificate(encodeElement(element)));
  } catch (error) {
    if (error instanceof DerError) throw new BuiltinError(`x509: malformed certificate: ${error.message}`);
    throw error;
  }
}

function readCertificate(raw: Buffer): Certificate {
  const certificate = new DerReader(readOnly(raw, TAG.SEQUENCE));
  const tbs = certificate.next(TAG.SEQUENCE);
  const outerAlgorithm = certificate.next(TAG.SEQUENCE).content;
  const signature = readBitString(certificate);
  const reader = new DerReader(tbs.content);
  const version = reader.optional(0xa0);
  const number = version === undefined ? 0n : readInteger(new DerReader(version));
  if (number < 0n || number > 2n) throw new DerError('an unknown version');
  const serialNumber = readInteger(reader);
  if (serialNumber < 0n) throw new DerError('a negative serial number');
  const algorithm = reader.next(TAG.SEQUENCE).content;
  if (!algorithm.equals(outerAlgorithm)) throw new DerError('two signature algorithms');
  const issuer = reader.next(TAG.SEQUENCE);
  const validity = new DerReader(reader.next(TAG.SEQUENCE).content);
  const [notBefore, notAfter] = [decodeTime(validity.next()), decodeTime(validity.next())];
  const subject = reader.next(TAG.SEQUENCE);
  const spki = encodeElement(reader.next(TAG.SEQUENCE));
  if (number > 0n) {
    reader.optional(0x81);
    reader.optional(0x82);
  }
  const extensions = number === 2n ? reader.optional(0xa3) : undefined;
  return {
    raw,
    tbs: encodeElement(tbs),
    version: Number(number) + 1,
    serialNumber,
    issuer: encodeElement(issuer),
    subject: encodeElement(subject),
    names: { issuer: readName(issuer.content), subject: readName(subject.content) },
    notBefore,
    notAfter,
    spki,
    publicKey: readPublicKey(spki),
    extensions: new Extensions(
      extensions === undefined ? [] : readExtensions(new DerReader(extensions).next(TAG.SEQUENCE).content),
    ),
    signatureAlgorithm: readSignatureAlgorithm(algorithm),
    signature,
  };
}

/** Go's x509.Certificate, as its JSON. */
export function describeCertificate(certificate: Certificate, withUriStrings: boolean): RegoValue {
  const { extensions } = certificate;
  return new RegoObject([
    ['Raw', bytes(certificate.raw)],
    ['RawTBSCertificate', bytes(certificate.tbs)],
    ['RawSubjectPublicKeyInfo', bytes(certificate.spki)],
    ['RawSubject', bytes(certificate.subject)],
    ['RawIssuer', bytes(certificate.issuer)],
    ['Signature', bytes(certificate.signature)],
    ['SignatureAlgorithm', certificate.signatureAlgorithm.number],
    ['PublicKeyAlgorithm', certificate.publicKey.algorithm],
    ['PublicKey', certificate.publicKey.value],
    ['Version', certificate.version],
    ['SerialNumber', fromInteger(certificate.serialNumber)],
    ['Issuer', certificate.names.issuer],
    ['Subject', certificate.names.subject],
    ['NotBefore', formatTime(certificate.notBefore)],
    ['NotAfter', formatTime(certificate.notAfter)],
    ...extensions.describe(),
    ...(withUriStrings ? [['URIStrings', uriStrings(extensions.names.uris)] as [string, RegoValue]] : []),
  ]);
}

/** RFC 3339, to the second. */
function formatTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace('.000', '');
}
