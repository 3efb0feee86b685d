import { createHash, createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import {
  calculateJwkThumbprint,
  CompactSign,
  exportJWK,
  type CompactJWSHeaderParameters,
  type JWK,
} from 'jose';

const KEY_PAIRS = {
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ES384: () => generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  PS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  Ed25519: () => generateKeyPairSync('ed25519'),
} as const;

export interface ProofOf {
  readonly htu: string;
  /** The access token. */
  readonly token: string;
  readonly htm?: string;
  /** Seconds since the epoch. Default now. */
  readonly iat?: number;
  readonly nonce?: string | undefined;
  /** More claims, or others; undefined takes one away. */
  readonly claims?: object;
  /** The same for the header. */
  readonly header?: object;
}

/** A client's key, and the proofs it makes (RFC 9449 section 4.2), good or bad. */
export class DpopKey {
  private constructor(
    readonly alg: string,
    readonly privateKey: KeyObject,
    /** Public. */
    readonly jwk: JWK,
    readonly thumbprint: string,
  ) {}

  static async create(alg: keyof typeof KEY_PAIRS = 'ES256'): Promise<DpopKey> {
    const { publicKey, privateKey } = KEY_PAIRS[alg]();
    const jwk = await exportJWK(publicKey);
    return new DpopKey(alg, privateKey, jwk, await calculateJwkThumbprint(jwk));
  }

  private made = 0;

  proof({ htu, token, htm = 'GET', iat = Math.floor(Date.now() / 1000), nonce, claims, header }: ProofOf) {
    const payload = {
      jti: `${this.thumbprint}-${++this.made}`,
      htm,
      htu,
      iat,
      ath: createHash('sha256').update(token).digest('base64url'),
      nonce,
      ...claims,
    };
    const parameters = { alg: this.alg, typ: 'dpop+jwt', jwk: this.jwk, ...header };
    return new CompactSign(new TextEncoder().encode(JSON.stringify(payload)))
      .setProtectedHeader(JSON.parse(JSON.stringify(parameters)) as CompactJWSHeaderParameters)
      .sign(this.privateKey);
  }

  /** An ES256 signature over texts that jose would not sign. */
  raw(header: string, payload: string): string {
    const input = [header, payload].map((text) => Buffer.from(text).toString('base64url')).join('.');
    const signature = sign('sha256', Buffer.from(input), { key: this.privateKey, dsaEncoding: 'ieee-p1363' });
    return `${input}.${signature.toString('base64url')}`;
  }

  privateJwk(): Promise<JWK> {
    return exportJWK(this.privateKey);
  }
}

/** An HMAC over a proof, keyed with whatever bytes the attacker likes. */
export function symmetricProof(secret: string, header: object, payload: object): string {
  const input = [header, payload]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}
