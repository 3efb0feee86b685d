import { createHash, createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import type { ExactJson } from '../json/exact.js';
import { suits } from './algorithms.js';
import { isStrong, PRIVATE_MEMBERS } from './key-set.js';

/** A public key that its holder sends along. It vouches for nothing until its thumbprint is that of a token. */
export interface ProofKey {
  /** RFC 7638, SHA-256: what `cnf.jkt` holds. */
  readonly thumbprint: string;
  /** The key for node:crypto; undefined where it is too weak, too costly or no key at all. This is the part that takes time. */
  open(): KeyObject | undefined;
}

/** What RFC 7638 section 3.2 and RFC 8037 section 2 take the thumbprint of, in its order. */
const REQUIRED: { readonly [kty: string]: readonly string[] } = {
  EC: ['crv', 'kty', 'x', 'y'],
  OKP: ['crv', 'kty', 'x'],
  RSA: ['e', 'kty', 'n'],
};

/**
 * Reads the `jwk` of a proof's header.
 *
 * @param alg of the same header, which the key has to suit
 * @returns what is wrong with it, in words for the operator
 */
export function readProofKey(jwk: ExactJson | undefined, alg: string): ProofKey | string {
  if (typeof jwk !== 'object' || jwk === null || Object.getPrototypeOf(jwk) !== Object.prototype)
    return 'jwk is not an object';
  const members = jwk as { readonly [name: string]: ExactJson };
  const { kty, crv } = members;
  const required = typeof kty === 'string' && Object.hasOwn(REQUIRED, kty) ? REQUIRED[kty] : undefined;
  if (required === undefined) return 'jwk is no public key of a known type';
  if (PRIVATE_MEMBERS.some((name) => members[name] !== undefined)) return 'jwk holds a private key';
  if (!required.every((name) => typeof members[name] === 'string')) return 'jwk lacks a member';
  if (!suits(alg, kty as string, crv as string | undefined)) return 'jwk is not a key for alg';
  const bare = Object.fromEntries(required.map((name) => [name, members[name]]));
  return {
    thumbprint: createHash('sha256').update(JSON.stringify(bare)).digest('base64url'),
    open() {
      try {
        const key = createPublicKey({ key: bare as JsonWebKey, format: 'jwk' });
        return isStrong(key) && isCheap(key) ? key : undefined;
      } catch {
        return undefined; // no point of its curve
      }
    },
  };
}

/**
 * Whoever sends a key chooses what verifying with it costs: RSA of 16,384 bits and an exponent of 31 bits takes 9 ms. Keys in
 * use have an exponent of 65537 or less (RFC 8017 section 3.1 allows more) and at most 4096 bits.
 */
function isCheap({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): boolean {
  if (asymmetricKeyType !== 'rsa') return true;
  const { modulusLength = 0, publicExponent = 0n } = asymmetricKeyDetails ?? {};
  return modulusLength <= 4096 && publicExponent <= 65_537n;
}
