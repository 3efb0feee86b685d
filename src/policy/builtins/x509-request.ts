import {
  DerError,
  DerReader,
  TAG,
  decodeBoolean,
  decodeOid,
  readAll,
  readOnly,
  type DerElement,
} from '../../asn1/der.js';
import { fromInteger } from '../number.js';
import { RegoObject, type RegoValue } from '../value.js';
import { BuiltinError, operand } from './builtin.js';
import { decodeBase64 } from './go-base64.js';
import { nextPem } from './pem-blocks.js';
import { SUBJECT_ALT_NAME, describeExtensions, readExtensions, type Extension } from './x509-extensions.js';
import { readPublicKey, readSignatureAlgorithm } from './x509-keys.js';
import { NO_NAMES, describeNames, readSubjectNames } from './x509-names.js';
import {
  arcs,
  bytes,
  decodeInteger,
  encodeElement,
  list,
  readBitString,
  readInteger,
  readName,
  readString,
} from './x509-values.js';

const EXTENSION_REQUEST = '1.2.840.113549.1.9.14';

/** crypto.x509.parse_certificate_request: a PKCS #10 request (RFC 2986) as Go's x509.CertificateRequest. */
export function parseCertificateRequest(_: unknown, request: RegoValue): RegoValue {
  const text = operand(request, 1, 'string');
  const der = fromPem(
    text.startsWith('-----BEGIN CERTIFICATE REQUEST-----') ? text : decodeBase64(text).toString('latin1'),
  );
  try {
    return readRequest(der);
  } catch (error) {
    if (error instanceof DerError) throw new BuiltinError(`asn1: structure error: ${error.message}`);
    throw error;
  }
}

/** @param text PEM, or DER with one character a byte */
function fromPem(text: string): Buffer {
  const { block } = nextPem(text);
  if (block === undefined) return Buffer.from(text, 'latin1');
  if (block.label === 'CERTIFICATE REQUEST') return block.bytes;
  throw new BuiltinError('invalid PEM-encoded certificate signing request');
}

function readRequest(raw: Buffer): RegoValue {
  const request = new DerReader(readOnly(raw, TAG.SEQUENCE));
  const tbs = request.next(TAG.SEQUENCE);
  const signatureAlgorithm = readSignatureAlgorithm(request.next(TAG.SEQUENCE).content);
  const signature = readBitString(request);
  const reader = new DerReader(tbs.content);
  const version = readInteger(reader);
  const subject = reader.next(TAG.SEQUENCE);
  const spki = encodeElement(reader.next(TAG.SEQUENCE));
  const publicKey = readPublicKey(spki);
  const attributes = readAll(reader.next(0xa0).content);
  const extensions = attributes.flatMap(requestedExtensions);
  const alternative = extensions.filter(({ oid }) => oid === SUBJECT_ALT_NAME).at(-1);
  return new RegoObject([
    ['Raw', bytes(raw)],
    ['RawTBSCertificateRequest', bytes(encodeElement(tbs))],
    ['RawSubjectPublicKeyInfo', bytes(spki)],
    ['RawSubject', bytes(encodeElement(subject))],
    ['Version', fromInteger(version)],
    ['Signature', bytes(signature)],
    ['SignatureAlgorithm', signatureAlgorithm.number],
    ['PublicKeyAlgorithm', publicKey.algorithm],
    ['PublicKey', publicKey.value],
    ['Subject', readName(subject.content)],
    ['Attributes', list(attributes.flatMap(describeAttribute), (attribute) => attribute)],
    ['Extensions', describeExtensions(extensions)],
    ['ExtraExtensions', null],
    ...describeNames(alternative === undefined ? NO_NAMES : readSubjectNames(alternative.value)),
  ]);
}

function requestedExtensions({ content }: DerElement): Extension[] {
  const attribute = new DerReader(content);
  if (decodeOid(attribute.next(TAG.OID).content) !== EXTENSION_REQUEST) return [];
  return readExtensions(new DerReader(attribute.next(0x31).content).next(TAG.SEQUENCE).content);
}

/** Go tells of an attribute only where its values are sequences of pairs: those of requested extensions. */
function describeAttribute({ content }: DerElement): RegoValue[] {
  try {
    const attribute = new DerReader(content);
    const oid = decodeOid(attribute.next(TAG.OID).content);
    const values = readAll(attribute.next(0x31).content, TAG.SEQUENCE).map((value) =>
      readAll(value.content, TAG.SEQUENCE).map((pair) => {
        const reader = new DerReader(pair.content);
        const type = decodeOid(reader.next(TAG.OID).content);
        return new RegoObject([
          ['Type', arcs(type)],
          ['Value', describeAny(reader.next())],
        ]);
      }),
    );
    return [
      new RegoObject([
        ['Type', arcs(oid)],
        ['Value', values],
      ]),
    ];
  } catch (error) {
    if (error instanceof DerError) return [];
    throw error;
  }
}

/** What Go's encoding/asn1 puts where any type may stand. */
function describeAny(element: DerElement): RegoValue {
  const { tag, content } = element;
  switch (tag) {
    case TAG.BOOLEAN:
      return decodeBoolean(content);
    case TAG.INTEGER:
      return fromInteger(decodeInteger(content));
    case TAG.OCTET_STRING:
      return bytes(content);
    case TAG.OID:
      return arcs(decodeOid(content));
    case 0x0c:
    case 0x12:
    case 0x13:
    case 0x14:
    case 0x16:
    case 0x1e:
      return readString(element);
    default:
      return null;
  }
}
