import { createHash, type webcrypto } from 'node:crypto';
import { CompactSign, exportJWK, generateKeyPair, type JWK } from 'jose';
import type { PeerEvidence } from '../../src/identity/types.js';
import { evidenceOf, NOW } from './ca.js';

type Claims = { readonly [name: string]: unknown };

/** A key that signs JWTs of whatever header and claims. */
export class JwtKey {
  private constructor(
    readonly algorithm: string,
    readonly kid: string,
    readonly publicJwk: JWK,
    readonly privateJwk: JWK,
    private readonly privateKey: webcrypto.CryptoKey,
  ) {}

  static async create(algorithm = 'ES256', kid = 'k1'): Promise<JwtKey> {
    const { publicKey, privateKey } = await generateKeyPair(algorithm, { extractable: true });
    const jwks = await Promise.all([exportJWK(publicKey), exportJWK(privateKey)]);
    return new JwtKey(algorithm, kid, ...jwks, privateKey);
  }

  /** As a SPIFFE bundle has it. */
  entry(use = 'jwt-svid'): object {
    return { ...this.publicJwk, use, kid: this.kid };
  }

  /** A member of the header or a claim that is undefined is left out. */
  async sign(claims: Claims, header: Claims = {}): Promise<string> {
    return new CompactSign(Buffer.from(JSON.stringify(claims)))
      .setProtectedHeader(JSON.parse(JSON.stringify({ alg: this.algorithm, kid: this.kid, ...header })))
      .sign(this.privateKey);
  }
}

export const SECONDS = NOW / 1000;

/** What arrives with these headers and no certificate. A list is lines that stand apart. */
export function withHeaders(
  headers: { readonly [name: string]: string | readonly string[] | undefined },
  path = '/orders',
): PeerEvidence {
  return evidenceOf({
    path,
    header: (name) => {
      const lines = headers[name];
      return lines === undefined ? [] : typeof lines === 'string' ? [lines] : lines;
    },
  });
}

/** Base64url of the SHA-256. */
export function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}
