import { createHash } from 'node:crypto';
import type { JWK } from 'jose';

/** What a public key of each type is made of, in the order of their code points (RFC 7638 section 3.2, RFC 8037). */
const MEMBERS: { readonly [kty: string]: readonly (keyof JWK & string)[] } = {
  EC: ['crv', 'kty', 'x', 'y'],
  OKP: ['crv', 'kty', 'x'],
  RSA: ['e', 'kty', 'n'],
};

/**
 * The SHA-256 thumbprint of a public key (RFC 7638), base64url. jose computes the same, but only behind a promise.
 *
 * @throws Error for a key of another type, or one that lacks a member
 */
export function thumbprint(jwk: JWK): string {
  const members = Object.hasOwn(MEMBERS, String(jwk.kty)) ? MEMBERS[String(jwk.kty)] : undefined;
  if (members === undefined || members.some((name) => typeof jwk[name] !== 'string'))
    throw new Error('not a public key that has a thumbprint');
  const canonical = JSON.stringify(Object.fromEntries(members.map((name) => [name, jwk[name]])));
  return createHash('sha256').update(canonical).digest('base64url');
}
