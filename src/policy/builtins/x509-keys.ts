import { constants, createPublicKey, verify, type KeyObject } from 'node:crypto';
import { DerError, DerReader, TAG, decodeOid, readOnly } from '../../asn1/der.js';
import { fromInteger } from '../number.js';
import { RegoObject, type RegoValue } from '../value.js';
import { integerOfBytes } from './key-values.js';
import { encodeElement, readBitString, readInteger } from './x509-values.js';

export interface PublicKey {
  /** As Go numbers them: 0 for any that it does not know, 1 RSA, 2 DSA, 3 ECDSA, 4 Ed25519. */
  readonly algorithm: number;
  /** As Go's JSON has it, null where the algorithm is not known. */
  readonly value: RegoValue;
  /** Not for DSA, which nobody verifies with. */
  readonly key?: KeyObject;
}

const CURVES: { readonly [oid: string]: number } = {
  '1.3.132.0.33': 28,
  '1.2.840.10045.3.1.7': 32,
  '1.3.132.0.34': 48,
  '1.3.132.0.35': 66,
};

/** A SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7). @param spki with tag and length @throws DerError */
export function readPublicKey(spki: Buffer): PublicKey {
  const reader = new DerReader(readOnly(spki, TAG.SEQUENCE));
  const identifier = new DerReader(reader.next(TAG.SEQUENCE).content);
  const bits = readBitString(reader);
  const key = () => {
    try {
      return createPublicKey({ key: spki, format: 'der', type: 'spki' });
    } catch {
      throw new DerError('not a public key');
    }
  };
  switch (decodeOid(identifier.next(TAG.OID).content)) {
    case '1.2.840.113549.1.1.1': {
      if (identifier.next(0x05).content.length > 0) throw new DerError('RSA parameters');
      const numbers = new DerReader(readOnly(bits, TAG.SEQUENCE));
      const [n, e] = [readInteger(numbers), readInteger(numbers)];
      if (n <= 0n || e <= 0n || e >= 2n ** 63n) throw new DerError('not an RSA key');
      const value = new RegoObject([
        ['N', fromInteger(n)],
        ['E', fromInteger(e)],
      ]);
      return { algorithm: 1, value, key: key() };
    }
    case '1.2.840.10040.4.1': {
      const parameters = new DerReader(identifier.next(TAG.SEQUENCE).content);
      const [p, q, g] = [readInteger(parameters), readInteger(parameters), readInteger(parameters)];
      const y = readInteger(new DerReader(bits));
      if ([p, q, g, y].some((number) => number <= 0n)) throw new DerError('not a DSA key');
      const named = Object.entries({ P: p, Q: q, G: g, Y: y });
      return {
        algorithm: 2,
        value: new RegoObject(named.map(([name, number]) => [name, fromInteger(number)])),
      };
    }
    case '1.2.840.10045.2.1': {
      const size = CURVES[decodeOid(identifier.next(TAG.OID).content)];
      if (size === undefined || bits[0] !== 4 || bits.length !== 1 + 2 * size)
        throw new DerError('not an EC key');
      const value = new RegoObject([
        ['Curve', new RegoObject([])],
        ['X', integerOfBytes(bits.subarray(1, 1 + size))],
        ['Y', integerOfBytes(bits.subarray(1 + size))],
      ]);
      return { algorithm: 3, value, key: key() };
    }
    case '1.3.101.112':
      if (!identifier.done || bits.length !== 32) throw new DerError('not an Ed25519 key');
      return { algorithm: 4, value: bits.toString('base64'), key: key() };
    default:
      if (!identifier.done) identifier.next();
      return { algorithm: 0, value: null };
  }
}

interface Signing {
  /** As Go numbers them. */
  readonly number: number;
  readonly keyAlgorithm: number;
  readonly hash: string | null;
  readonly pss?: boolean;
}

/** What Go verifies certificates by; it knows more (MD5, SHA-1, DSA), and refuses those. */
const SIGNINGS: { readonly [oid: string]: Signing } = {
  '1.2.840.113549.1.1.11': { number: 4, keyAlgorithm: 1, hash: 'sha256' },
  '1.2.840.113549.1.1.12': { number: 5, keyAlgorithm: 1, hash: 'sha384' },
  '1.2.840.113549.1.1.13': { number: 6, keyAlgorithm: 1, hash: 'sha512' },
  '1.2.840.10045.4.3.2': { number: 10, keyAlgorithm: 3, hash: 'sha256' },
  '1.2.840.10045.4.3.3': { number: 11, keyAlgorithm: 3, hash: 'sha384' },
  '1.2.840.10045.4.3.4': { number: 12, keyAlgorithm: 3, hash: 'sha512' },
  '1.3.101.112': { number: 16, keyAlgorithm: 4, hash: null },
};

/** Known by their numbers only. */
const OTHERS: { readonly [oid: string]: number } = {
  '1.2.840.113549.1.1.4': 2,
  '1.2.840.113549.1.1.5': 3,
  '1.3.14.3.2.29': 3,
  '1.2.840.10040.4.3': 7,
  '2.16.840.1.101.3.4.3.2': 8,
  '1.2.840.10045.4.1': 9,
};

const PSS_HASHES: { readonly [oid: string]: Signing & { salt: number } } = {
  '2.16.840.1.101.3.4.2.1': { number: 13, keyAlgorithm: 1, hash: 'sha256', pss: true, salt: 32 },
  '2.16.840.1.101.3.4.2.2': { number: 14, keyAlgorithm: 1, hash: 'sha384', pss: true, salt: 48 },
  '2.16.840.1.101.3.4.2.3': { number: 15, keyAlgorithm: 1, hash: 'sha512', pss: true, salt: 64 },
};

export interface SignatureAlgorithm {
  /** As Go numbers them; 0 for any that it does not know. */
  readonly number: number;
  readonly signing?: Signing;
}

/** An AlgorithmIdentifier's content. @throws DerError */
export function readSignatureAlgorithm(content: Buffer): SignatureAlgorithm {
  const reader = new DerReader(content);
  const oid = decodeOid(reader.next(TAG.OID).content);
  if (oid === '1.2.840.113549.1.1.10') {
    const signing = readPss(reader);
    return signing === undefined ? { number: 0 } : { number: signing.number, signing };
  }
  const hasParameters = !reader.done;
  if (hasParameters) reader.next();
  const signing = SIGNINGS[oid];
  if (signing === undefined) return { number: OTHERS[oid] ?? 0 };
  if (signing.keyAlgorithm === 4 && hasParameters) return { number: 0 };
  return { number: signing.number, signing };
}

/** RFC 4055 section 3.1, in the three forms that Go takes: one hash throughout, and a salt as long as it. */
function readPss(reader: DerReader): Signing | undefined {
  try {
    const parameters = new DerReader(reader.next(TAG.SEQUENCE).content);
    const hash = readHash(readOnly(parameters.next(0xa0).content, TAG.SEQUENCE));
    const mask = new DerReader(readOnly(parameters.next(0xa1).content, TAG.SEQUENCE));
    const isMgf1 = decodeOid(mask.next(TAG.OID).content) === '1.2.840.113549.1.1.8';
    const maskHash = readHash(mask.next(TAG.SEQUENCE).content);
    const salt = readInteger(new DerReader(parameters.next(0xa2).content));
    const trailer = parameters.optional(0xa3);
    const isDefault = trailer === undefined || readInteger(new DerReader(trailer)) === 1n;
    const found = PSS_HASHES[hash];
    return isMgf1 && isDefault && maskHash === hash && salt === BigInt(found?.salt ?? -1) ? found : undefined;
  } catch (error) {
    if (error instanceof DerError) return undefined;
    throw error;
  }
}

function readHash(content: Buffer): string {
  const reader = new DerReader(content);
  const oid = decodeOid(reader.next(TAG.OID).content);
  if (!reader.done && encodeElement(reader.next()).toString('hex') !== '0500')
    throw new DerError('parameters');
  return oid;
}

/** Whether this key made the signature. Weak hashes and RSA keys below 1024 bits are never right, as in Go. */
export function isSignedBy(
  { signing }: SignatureAlgorithm,
  data: Buffer,
  signature: Buffer,
  { algorithm, key }: PublicKey,
): boolean {
  if (signing === undefined || key === undefined || signing.keyAlgorithm !== algorithm) return false;
  if (algorithm === 1 && (key.asymmetricKeyDetails?.modulusLength ?? 0) < 1024) return false;
  const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
  try {
    return verify(signing.hash, data, signing.pss === true ? { key, ...pss } : key, signature);
  } catch {
    return false;
  }
}
