import { createHmac, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { CompactSign, exportJWK, type CompactJWSHeaderParameters, type JWK } from 'jose';
import type { Algorithm } from '../../src/jws/algorithms.js';
import { parseKeySet, type KeySet } from '../../src/jws/key-set.js';
import type { KeySource, KeySourceStatus } from '../../src/token/key-source.js';
import type { TokenRequest } from '../../src/token/types.js';
import {
  createTokenVerifier,
  type TokenVerifierOptions,
  type TrustedIssuer,
} from '../../src/token/verifier.js';

export const NOW = Date.UTC(2030, 0, 1);

/** {@link NOW} as a NumericDate. */
export const SECONDS = NOW / 1000;

export const ISSUER = 'https://idp.example.org';

/** All that RFC 9068 requires, good for five minutes from {@link NOW} on. */
export const CLAIMS = {
  iss: ISSUER,
  exp: SECONDS + 300,
  aud: 'orders',
  sub: 'alice',
  client_id: 'frontend',
  iat: SECONDS,
  jti: 'token-1',
};

export const refused = (code: string) => expect.objectContaining({ refused: true, code });

export function encode(text: string): string {
  return Buffer.from(text).toString('base64url');
}

const KEY_PAIRS: { readonly [alg: string]: () => { publicKey: KeyObject; privateKey: KeyObject } } = {
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  PS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ES384: () => generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  Ed25519: () => generateKeyPairSync('ed25519'),
};

/** A key of an issuer, and tokens signed with it, good or bad. */
export class TestKey {
  private constructor(
    readonly alg: string,
    readonly keyId: string,
    readonly publicKey: KeyObject,
    readonly privateKey: KeyObject,
    private readonly jwk: JWK,
  ) {}

  static async create(keyId: string, alg = 'ES256'): Promise<TestKey> {
    const { publicKey, privateKey } = KEY_PAIRS[alg]!();
    return new TestKey(alg, keyId, publicKey, privateKey, await exportJWK(publicKey));
  }

  /** As it stands in a JWK Set; undefined takes a member away. */
  published(members: { readonly [name: string]: unknown } = {}): object {
    return { ...this.jwk, kid: this.keyId, use: 'sig', ...members };
  }

  /** An access token of {@link CLAIMS}; undefined takes a claim or header parameter away. */
  token(claims: object = {}, header: { readonly [name: string]: unknown } = {}): Promise<string> {
    const payload = new TextEncoder().encode(JSON.stringify({ ...CLAIMS, ...claims }));
    const parameters = { alg: this.alg, typ: 'at+jwt', kid: this.keyId, ...header };
    return new CompactSign(payload)
      .setProtectedHeader(JSON.parse(JSON.stringify(parameters)) as CompactJWSHeaderParameters)
      .sign(this.privateKey);
  }

  /** An ES256 signature over texts that jose would not sign. */
  raw(header: string, payload = JSON.stringify(CLAIMS)): string {
    const input = `${encode(header)}.${encode(payload)}`;
    const signature = sign('sha256', Buffer.from(input), { key: this.privateKey, dsaEncoding: 'ieee-p1363' });
    return `${input}.${signature.toString('base64url')}`;
  }

  /** The header that {@link token} writes, with more members or others. */
  header(members: object = {}): string {
    return JSON.stringify({ alg: this.alg, typ: 'at+jwt', kid: this.keyId, ...members });
  }
}

/** HS256 over {@link CLAIMS}, keyed with whatever bytes the attacker took for a secret. */
export function symmetric(secret: string | Buffer, header: object): string {
  const input = `${encode(JSON.stringify({ alg: 'HS256', typ: 'at+jwt', ...header }))}.${encode(JSON.stringify(CLAIMS))}`;
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}

/** Keys that a test changes at will. */
export class FakeKeys implements KeySource {
  demanded = 0;
  /** What the issuer does when it is asked. */
  onDemand: () => void | Promise<void> = () => {};

  constructor(public set: KeySet | undefined) {}

  static async of(...keys: readonly (TestKey | object)[]): Promise<FakeKeys> {
    return new FakeKeys(await keySet(...keys));
  }

  current(): KeySet | undefined {
    return this.set;
  }

  async demand(): Promise<void> {
    this.demanded++;
    await this.onDemand();
  }

  async start(): Promise<void> {}

  stop(): void {}

  status(): KeySourceStatus {
    return { issuer: ISSUER, keys: this.set?.keys.length ?? 0, stale: this.set === undefined };
  }
}

export function keySet(...keys: readonly (TestKey | object)[]): Promise<KeySet> {
  return parseKeySet(jwks(...keys));
}

export function jwks(...keys: readonly (TestKey | object)[]): string {
  return JSON.stringify({ keys: keys.map((key) => (key instanceof TestKey ? key.published() : key)) });
}

export function trust(keys: KeySource, rules: Partial<TrustedIssuer> = {}): TrustedIssuer {
  return {
    issuer: ISSUER,
    audiences: ['orders', 'billing'],
    algorithms: ['ES256', 'RS256'] satisfies Algorithm[],
    profile: 'at+jwt',
    maxLifetime: 3_600_000,
    clockSkew: 0,
    keys,
    ...rules,
  };
}

/** A verifier whose clock the test holds, and a short way to ask it. */
export function verifierOf(issuers: readonly TrustedIssuer[], limits: Partial<TokenVerifierOptions> = {}) {
  const clock = { now: NOW };
  const verifier = createTokenVerifier({ issuers, maxBytes: 8192, ...limits, now: () => clock.now });
  const verify = (token: string, request: Partial<TokenRequest> = {}) =>
    verifier.verify({ authorization: [`Bearer ${token}`], now: clock.now, ...request });
  return { clock, verify };
}

/** A verifier that trusts these keys of one issuer. */
export async function setUpWith(
  trusted: readonly TestKey[],
  rules?: Partial<TrustedIssuer>,
  maxBytes?: number,
) {
  const keys = await FakeKeys.of(...trusted);
  return { keys, ...verifierOf([trust(keys, rules)], { ...(maxBytes !== undefined && { maxBytes }) }) };
}
