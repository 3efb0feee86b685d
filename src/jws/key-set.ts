import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import type { JWK } from 'jose';
import { parseExact, type ExactJson } from '../json/exact.js';
import { isRocaModulus } from './roca.js';
import { sameAlgorithm, suits } from './algorithms.js';
import { thumbprint } from './thumbprint.js';

/** A public key of an issuer. */
export interface VerificationKey {
  readonly key: KeyObject;
  readonly type: string;
  readonly curve: string | undefined;
  /** The only algorithm that the issuer uses this key with; undefined when it names none. */
  readonly alg: string | undefined;
  readonly keyId: string | undefined;
  /** RFC 7638, SHA-256, and the key's own `alg`: two keys are the same when this is. */
  readonly identity: string;
}

/** All keys that an issuer publishes at one moment. */
export class KeySet {
  private readonly identities: ReadonlySet<string>;

  constructor(readonly keys: readonly VerificationKey[]) {
    this.identities = new Set(keys.map(({ identity }) => identity));
  }

  /** Whether a key that vouched for a token earlier is still published. */
  has(key: VerificationKey): boolean {
    return this.identities.has(key.identity);
  }

  /**
   * The keys that may have signed a token. One without `kid` is only unambiguous where one key suits it
   * (RFC 7515 section 4.1.4 leaves kid optional).
   */
  candidates(alg: string, keyId: string | undefined): readonly VerificationKey[] {
    const suitable = this.keys.filter(
      (key) => suits(alg, key.type, key.curve) && (key.alg === undefined || sameAlgorithm(key.alg, alg)),
    );
    if (keyId !== undefined) return suitable.filter((key) => key.keyId === keyId);
    return suitable.length === 1 ? suitable : [];
  }

  /** Whether any key goes by this id, suitable or not: asking the issuer again would bring nothing new. */
  knows(keyId: string | undefined): boolean {
    return keyId === undefined ? this.keys.length > 0 : this.keys.some((key) => key.keyId === keyId);
  }
}

/**
 * Reads a JWK Set (RFC 7517 section 5). Keys that cannot verify are passed over, as its section 5 asks: symmetric
 * or private ones, those for encryption, RSA that is too weak or known to be factored, and those of unknown types.
 *
 * @throws Error, without any of the text, when it is not a JWK Set
 */
export async function parseKeySet(text: string): Promise<KeySet> {
  let document: ExactJson;
  try {
    document = parseExact(text);
  } catch {
    throw new Error('not JSON');
  }
  if (!isObject(document) || !Array.isArray(document.keys)) throw new Error('not a JWK Set');
  return readKeys(document.keys, isForSignatures);
}

/**
 * Reads the entries of a JWK Set, likewise.
 *
 * @param isMeant whether an entry is of the kind that is wanted, by its `use` and what else it says
 */
export function readKeys(
  entries: readonly ExactJson[],
  isMeant: (entry: { readonly [name: string]: ExactJson }) => boolean,
): KeySet {
  const usable = entries.filter(isUsable).filter(isMeant);
  return new KeySet(usable.flatMap((entry) => readKey(entry) ?? []));
}

function isForSignatures({ use }: { readonly [name: string]: ExactJson }): boolean {
  return use === undefined || use === 'sig';
}

/** Members of RFC 7518 section 6 that no public key has. */
export const PRIVATE_MEMBERS: readonly string[] = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

function isUsable(key: ExactJson): key is { [name: string]: ExactJson } {
  if (!isObject(key)) return false;
  if (!['RSA', 'EC', 'OKP'].includes(key.kty as string)) return false;
  if (PRIVATE_MEMBERS.some((name) => key[name] !== undefined)) return false;
  if (key.alg !== undefined && typeof key.alg !== 'string') return false;
  if (key.key_ops !== undefined && !(Array.isArray(key.key_ops) && key.key_ops.includes('verify')))
    return false;
  return true;
}

/**
 * RFC 7518 section 3.3 asks for 2048 bits; zeros in front of a modulus are none of them. An exponent of 1 makes a
 * signature of whatever is signed, and an even one has no private key; OpenSSL takes both. Above 2^31 nobody else
 * takes one (Go, for instance), and it costs time.
 */
export function isStrong({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): boolean {
  if (asymmetricKeyType !== 'rsa') return true;
  const { modulusLength = 0, publicExponent = 0n } = asymmetricKeyDetails ?? {};
  return (
    modulusLength >= 2048 && publicExponent >= 3n && publicExponent < 2n ** 31n && publicExponent % 2n === 1n
  );
}

function readKey(key: { [name: string]: ExactJson }): VerificationKey | undefined {
  const { kty, crv, n, e, x, y, alg, kid } = key as unknown as JWK;
  const jwk = Object.fromEntries(
    Object.entries({ kty, crv, n, e, x, y }).filter(([, value]) => typeof value === 'string'),
  ) as unknown as JWK;
  try {
    const publicKey = createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' });
    if (!isStrong(publicKey) || (kty === 'RSA' && isRocaModulus(jwk.n!))) return undefined;
    const identity = `${thumbprint(jwk)} ${alg ?? ''}`;
    return {
      key: publicKey,
      type: kty!,
      curve: crv,
      alg,
      keyId: typeof kid === 'string' ? kid : undefined,
      identity,
    };
  } catch {
    return undefined; // a member that its type needs is missing, or it is no point of its curve
  }
}

function isObject(value: ExactJson): value is { [name: string]: ExactJson } {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
