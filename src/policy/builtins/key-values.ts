import type { KeyObject } from 'node:crypto';
import { fromInteger } from '../number.js';
import type { RegoNumber } from '../value.js';

/** The curves that Go's crypto/ecdsa has, by the names that node:crypto gives them; bytes of a coordinate. */
export const CURVE_BYTES: { readonly [name: string]: number } = {
  secp224r1: 28,
  prime256v1: 32,
  secp384r1: 48,
  secp521r1: 66,
};

/** Whether a key is of a kind that Go's x509 reads too: OpenSSL knows many more. */
export function isKnownKey(key: KeyObject): boolean {
  const type = key.asymmetricKeyType;
  if (type === 'ec') return CURVE_BYTES[key.asymmetricKeyDetails?.namedCurve ?? ''] !== undefined;
  return type === 'rsa' || type === 'ed25519' || type === 'x25519';
}

export function bytesOf(text: string | undefined): Buffer {
  return Buffer.from(text ?? '', 'base64url');
}

export function integerOf(text: string | undefined): RegoNumber {
  return integerOfBytes(bytesOf(text));
}

/** An unsigned integer, the highest byte first. */
export function integerOfBytes(bytes: Buffer): RegoNumber {
  return fromInteger(bytes.length === 0 ? 0n : BigInt(`0x${bytes.toString('hex')}`));
}
