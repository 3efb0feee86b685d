import {
  type CryptoKey,
  exportJWK,
  generateKeyPair,
  type JWK,
  SignJWT,
  type JWTHeaderParameters,
} from 'jose';
import { type KeySet, parseKeySet } from '../../src/token/key-set.js';
import type { KeySource } from '../../src/token/key-source.js';
import type { TrustedIssuer } from '../../src/token/verifier.js';

/** The clock of these tests: milliseconds since the epoch, on a whole second. */
export const NOW = Date.UTC(2030, 0, 1);
export const SECONDS = NOW / 1000;
export const ISSUER = 'https://idp.example.org';
/** `x5t#S256` of a certificate that need not exist: base64url of 32 bytes. */
export const THUMBPRINT = Buffer.alloc(32, 7).toString('base64url');

export interface TestKey {
  readonly privateKey: CryptoKey;
  /** As an issuer publishes it. */
  readonly jwk: JWK;
}

export async function newKey(alg = 'ES256', jwk: JWK = {} as JWK): Promise<TestKey> {
  const pair = await generateKeyPair(alg, { extractable: true });
  return {
    privateKey: pair.privateKey,
    jwk: { ...(await exportJWK(pair.publicKey)), alg, use: 'sig', kid: 'k1', ...jwk },
  };
}

/** An access token by RFC 9068 that passes, but for what is overridden; undefined leaves a member out. */
export function mint(
  key: TestKey,
  claims: { [name: string]: unknown } = {},
  header: { [name: string]: unknown } = {},
): Promise<string> {
  return new SignJWT({
    iss: ISSUER,
    aud: 'orders',
    sub: 'frontend',
    client_id: 'frontend',
    iat: SECONDS - 10,
    exp: SECONDS + 300,
    jti: '1',
    scope: 'orders:read',
    ...claims,
  })
    .setProtectedHeader({
      alg: key.jwk.alg,
      typ: 'at+jwt',
      kid: key.jwk.kid,
      ...header,
    } as JWTHeaderParameters)
    .sign(key.privateKey);
}

/** A compact JWS of these very texts; the signature is of other bytes unless one is given. */
export function compact(header: unknown, payload: unknown, signature = 'c2lnbmF0dXJl'): string {
  const part = (value: unknown) =>
    Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
  return `${part(header)}.${part(payload)}.${signature}`;
}

/** A key source that holds what it is told to hold. */
export class HeldKeys implements KeySource {
  keys: KeySet | undefined;
  /** What a demand brings, if anything. */
  upcoming: KeySet | undefined;
  demands = 0;

  static async of(...keys: readonly TestKey[]): Promise<HeldKeys> {
    const held = new HeldKeys();
    held.keys = await keySet(...keys);
    return held;
  }
  current() {
    return this.keys;
  }
  async demand() {
    this.demands++;
    if (this.upcoming) this.keys = this.upcoming;
  }
  async start() {}
  stop() {}
  status() {
    return { issuer: ISSUER, keys: this.keys?.keys.length ?? 0, stale: this.keys === undefined };
  }
}

export function keySet(...keys: readonly TestKey[]): Promise<KeySet> {
  return parseKeySet(JSON.stringify({ keys: keys.map(({ jwk }) => jwk) }));
}

export function trustedIssuer(keys: KeySource, overrides: Partial<TrustedIssuer> = {}): TrustedIssuer {
  return {
    issuer: ISSUER,
    audiences: ['orders'],
    profile: 'at+jwt',
    maxLifetime: 3_600_000,
    clockSkew: 0,
    algorithms: ['ES256', 'RS256', 'EdDSA'],
    keys,
    ...overrides,
  };
}
