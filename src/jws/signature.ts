import { constants, verify, type KeyObject, type VerifyKeyObjectInput } from 'node:crypto';

type Options = Omit<VerifyKeyObjectInput, 'key'>;

/** What node:crypto takes for an RSA key where nothing is said, at less cost than saying it. */
const PKCS1 = undefined;
/** RFC 7518 section 3.5: the salt is as long as the hash. */
const PSS: Options = {
  padding: constants.RSA_PKCS1_PSS_PADDING,
  saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
};
/** RFC 7518 section 3.4: R and S side by side, not in DER. */
const ECDSA: Options = { dsaEncoding: 'ieee-p1363' };

/** RFC 7518 section 3.1, RFC 8037 section 3.1, RFC 9864. */
const ALGORITHMS: { readonly [alg: string]: readonly [hash: string | null, options: Options | undefined] } = {
  RS256: ['sha256', PKCS1],
  RS384: ['sha384', PKCS1],
  RS512: ['sha512', PKCS1],
  PS256: ['sha256', PSS],
  PS384: ['sha384', PSS],
  PS512: ['sha512', PSS],
  ES256: ['sha256', ECDSA],
  ES384: ['sha384', ECDSA],
  ES512: ['sha512', ECDSA],
  EdDSA: [null, undefined],
  Ed25519: [null, undefined],
};

/**
 * Whether a compact JWS was signed with this key. It is done here and now, in 40 to 170 µs: handing it to
 * another thread and back costs more than that (docs/performance.md). Never throws.
 *
 * @param alg of the header, which has to suit the key already
 */
export function isSigned(token: string, key: KeyObject, alg: string): boolean {
  const algorithm = Object.hasOwn(ALGORITHMS, alg) ? ALGORITHMS[alg] : undefined;
  if (algorithm === undefined) return false;
  const [hash, options] = algorithm;
  const dot = token.lastIndexOf('.');
  const signature = Buffer.from(token.slice(dot + 1), 'base64url');
  try {
    const input = Buffer.from(token.slice(0, dot), 'latin1');
    return verify(hash, input, options === undefined ? key : { ...options, key }, signature);
  } catch {
    // node:crypto throws for a key that it cannot use; which keys those are is its OpenSSL's to say.
    return false;
  }
}
