import {
  constants,
  createHmac,
  createPublicKey,
  sign,
  timingSafeEqual,
  verify,
  type KeyObject,
} from 'node:crypto';
import { BuiltinError } from './builtin.js';
import { CURVE_BYTES } from './key-values.js';

export type Hash = 'sha256' | 'sha384' | 'sha512';
type Family = 'HS' | 'RS' | 'PS' | 'ES' | 'EdDSA';

/** Go refuses RSA keys below this (crypto/rsa, since 1.24). */
const MIN_RSA_BITS = 1024;

const HASHES: { readonly [bits: string]: Hash } = { 256: 'sha256', 384: 'sha384', 512: 'sha512' };

/** The algorithms of RFC 7518 section 3.1 and RFC 8037 that OPA has. */
export const JWS_ALGORITHMS: ReadonlySet<string> = new Set([
  ...['HS', 'RS', 'PS', 'ES'].flatMap((family) => ['256', '384', '512'].map((bits) => family + bits)),
  'EdDSA',
]);

function familyOf(algorithm: string): { family: Family; hash: Hash } | undefined {
  if (algorithm === 'EdDSA' || algorithm === 'Ed25519') return { family: 'EdDSA', hash: 'sha512' };
  if (!JWS_ALGORITHMS.has(algorithm)) return undefined;
  return { family: algorithm.slice(0, 2) as Family, hash: HASHES[algorithm.slice(2)]! };
}

/** Whether a signature is right by the algorithm that a token names; a key of another kind means that it is not. */
export function verifyJws(algorithm: string, key: KeyObject, data: Buffer, signature: Buffer): boolean {
  const found = familyOf(algorithm);
  if (found === undefined) return false;
  const { family, hash } = found;
  if (family === 'HS') {
    if (key.type !== 'secret' || key.symmetricKeySize === 0) return false;
    return equal(createHmac(hash, key).update(data).digest(), signature);
  }
  if (key.type === 'secret') return false;
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  if (family === 'ES') {
    const size = coordinate(publicKey);
    return (
      size !== undefined && signature.length === 2 * size && verifyEcdsa(hash, publicKey, data, signature)
    );
  }
  if (family === 'EdDSA') return verifyEd25519(publicKey, data, signature);
  return verifyRsa(
    hash,
    publicKey,
    data,
    signature,
    family === 'PS' ? constants.RSA_PSS_SALTLEN_DIGEST : undefined,
  );
}

/** @param saltLength for PSS; without it, PKCS #1 v1.5 */
export function verifyRsa(
  hash: Hash,
  key: KeyObject,
  data: Buffer,
  signature: Buffer,
  saltLength?: number,
): boolean {
  if (key.asymmetricKeyType !== 'rsa' || tooShort(key)) return false;
  return attempt(() => verify(hash, data, { key, ...padding(saltLength) }, signature));
}

/** The two halves of the signature are r and s, of any length, as OPA takes them. */
export function verifyEcdsa(hash: Hash, key: KeyObject, data: Buffer, signature: Buffer): boolean {
  const size = coordinate(key);
  if (size === undefined) return false;
  const half = Math.floor(signature.length / 2);
  const r = widen(signature.subarray(0, half), size);
  const s = widen(signature.subarray(half), size);
  if (r === undefined || s === undefined) return false;
  return attempt(() => verify(hash, data, { key, dsaEncoding: 'ieee-p1363' }, Buffer.concat([r, s])));
}

export function verifyEd25519(key: KeyObject, data: Buffer, signature: Buffer): boolean {
  return key.asymmetricKeyType === 'ed25519' && attempt(() => verify(null, data, key, signature));
}

export function verifyHmac(hash: Hash, secret: string, data: Buffer, signature: Buffer): boolean {
  return equal(createHmac(hash, secret).update(data).digest(), signature);
}

/**
 * @throws BuiltinError, which says nothing of the key, when it cannot sign with this algorithm
 */
export function signJws(algorithm: string, key: KeyObject, data: Buffer): Buffer {
  const found = familyOf(algorithm);
  if (found === undefined) throw new BuiltinError('unknown JWS algorithm');
  const { family, hash } = found;
  if (family === 'HS') {
    if (key.type !== 'secret') throw new BuiltinError('invalid key type: an octet sequence is required');
    return createHmac(hash, key).update(data).digest();
  }
  const wanted = { RS: 'rsa', PS: 'rsa', ES: 'ec', EdDSA: 'ed25519' }[family];
  if (key.type !== 'private' || key.asymmetricKeyType !== wanted) {
    throw new BuiltinError(`invalid key type: a private key of type ${wanted} is required`);
  }
  if (wanted === 'rsa' && tooShort(key))
    throw new BuiltinError('RSA keys of less than 1024 bits are insecure');
  try {
    if (family === 'EdDSA') return sign(null, data, key);
    if (family === 'ES') return sign(hash, data, { key, dsaEncoding: 'ieee-p1363' });
    return sign(hash, data, {
      key,
      ...padding(family === 'PS' ? constants.RSA_PSS_SALTLEN_DIGEST : undefined),
    });
  } catch {
    throw new BuiltinError('the key cannot sign');
  }
}

function padding(saltLength: number | undefined) {
  return saltLength === undefined
    ? { padding: constants.RSA_PKCS1_PADDING }
    : { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength };
}

function tooShort(key: KeyObject): boolean {
  return (key.asymmetricKeyDetails?.modulusLength ?? 0) < MIN_RSA_BITS;
}

function coordinate(key: KeyObject): number | undefined {
  if (key.asymmetricKeyType !== 'ec') return undefined;
  return CURVE_BYTES[key.asymmetricKeyDetails?.namedCurve ?? ''];
}

/** The same integer in so many bytes, if it fits. */
function widen(bytes: Buffer, size: number): Buffer | undefined {
  let start = 0;
  while (start < bytes.length && bytes[start] === 0) start++;
  const digits = bytes.subarray(start);
  return digits.length > size ? undefined : Buffer.concat([Buffer.alloc(size - digits.length), digits]);
}

function equal(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** node:crypto throws for a key that it cannot use; which keys those are is its OpenSSL's to say. */
function attempt(check: () => boolean): boolean {
  try {
    return check();
  } catch {
    return false;
  }
}
