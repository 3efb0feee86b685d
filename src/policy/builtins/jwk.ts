import {
  X509Certificate,
  createHash,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { ExactJson } from '../../json/exact.js';
import { BuiltinError } from './builtin.js';
import { tryDecodeBase64 } from './go-base64.js';
import { readJson } from './go-json.js';

/** A key of a JWK set. */
export interface Jwk {
  /** Empty where the JWK names none. */
  readonly algorithm: string;
  readonly id: string;
  readonly key: KeyObject;
}

/** As many as OPA's own library takes from one set. */
const MAX_KEYS = 1000;

/** Every algorithm that a JWK may name (RFC 7518, RFC 8037, RFC 9864): one that is unknown makes it malformed. */
const ALGORITHMS = new RegExp(
  '^(?:[HRPE]S(?:256|384|512)|ES256K|EdDSA|Ed25519|none|dir|RSA1_5|RSA-OAEP(?:-(?:256|384|512))?' +
    '|ECDH-ES(?:\\+A(?:128|192|256)KW)?|A(?:128|192|256)(?:GCM)?(?:KW)?|A128CBC-HS256|A192CBC-HS384|A256CBC-HS512' +
    '|PBES2-HS256\\+A128KW|PBES2-HS384\\+A192KW|PBES2-HS512\\+A256KW)$',
);

const BASE64 = /^(?:[A-Za-z0-9_-]+|[A-Za-z0-9+/]+)={0,2}$/;

const STRINGS = ['kid', 'use', 'x5t', 'x5t#S256', 'x5u'];

type Members = { readonly [name: string]: ExactJson };

/** Policies give the same keys at each evaluation: what they were is kept by the hash of their text. */
const parsed = new LRUCache<string, readonly Jwk[]>({ max: 100 });

/**
 * The keys of a JWK set, or of one JWK (RFC 7517). One malformed key makes the whole set malformed, as in OPA.
 *
 * @throws BuiltinError, which says nothing of the keys
 */
export function parseJwks(text: string): readonly Jwk[] {
  const hash = createHash('sha256').update(text).digest('base64');
  const known = parsed.get(hash);
  if (known !== undefined) return known;
  const json = readJson(text, 'last');
  if (!isMembers(json)) fail();
  const members = Object.hasOwn(json, 'keys') ? json.keys : [json];
  if (!Array.isArray(members) || members.length > MAX_KEYS) fail();
  const keys = members.map(readJwk);
  parsed.set(hash, keys);
  return keys;
}

function fail(): never {
  throw new BuiltinError('failed to parse a JWK key (set)');
}

function isMembers(json: ExactJson | undefined): json is Members {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

function readJwk(json: ExactJson): Jwk {
  if (!isMembers(json)) fail();
  for (const name of STRINGS) {
    if (typeof (json[name] ?? '') !== 'string') fail();
  }
  if (!isStrings(json.key_ops ?? [])) fail();
  if (Object.hasOwn(json, 'x5c')) checkChain(json.x5c);
  const algorithm = text(json, 'alg');
  if (Object.hasOwn(json, 'alg') && !ALGORITHMS.test(algorithm)) fail();
  return { algorithm, id: json.kid === null ? '' : text(json, 'kid'), key: readKey(json) };
}

function isStrings(json: ExactJson): boolean {
  return Array.isArray(json) && json.every((item) => typeof item === 'string');
}

/** The certificates are not used, as OPA does not use them, but they must be some. */
function checkChain(chain: ExactJson | undefined): void {
  if (!Array.isArray(chain)) fail();
  for (const certificate of chain) {
    const der = typeof certificate === 'string' ? tryDecodeBase64(certificate) : undefined;
    try {
      new X509Certificate(der ?? fail());
    } catch {
      fail();
    }
  }
}

function readKey(json: Members): KeyObject {
  const kty = text(json, 'kty');
  if (kty === 'oct') return createSecretKey(binary(json, 'k'));
  const hasD = Object.hasOwn(json, 'd');
  let members: JsonWebKey;
  if (kty === 'RSA') members = hasD ? rsaPrivate(json) : encoded(json, ['n', 'e']);
  else if (kty === 'EC') members = { crv: curve(json, 'P-256', 'P-384', 'P-521'), ...point(json, hasD) };
  else if (kty === 'OKP') {
    members = { crv: curve(json, 'Ed25519', 'X25519'), ...encoded(json, hasD ? ['x', 'd'] : ['x']) };
  } else fail();
  const key = { ...members, kty };
  try {
    return hasD ? createPrivateKey({ key, format: 'jwk' }) : createPublicKey({ key, format: 'jwk' });
  } catch {
    fail();
  }
}

/** dp, dq and qi may be left out (RFC 7518 section 6.3.2): node:crypto wants them. */
function rsaPrivate(json: Members): JsonWebKey {
  const key = encoded(json, ['n', 'e', 'd', 'p', 'q']);
  const [d, p, q] = [integer(json, 'd'), integer(json, 'p'), integer(json, 'q')];
  if (p < 2n || q < 2n) fail();
  return { ...key, dp: minimal(d % (p - 1n)), dq: minimal(d % (q - 1n)), qi: minimal(inverse(q, p)) };
}

function inverse(value: bigint, modulus: bigint): bigint {
  let [a, b] = [value % modulus, modulus];
  let [x, y] = [1n, 0n];
  while (b !== 0n) {
    const quotient = a / b;
    [a, b] = [b, a - quotient * b];
    [x, y] = [y, x - quotient * y];
  }
  return ((x % modulus) + modulus) % modulus;
}

function minimal(value: bigint): string {
  const hex = value.toString(16);
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex').toString('base64url');
}

function integer(json: Members, name: string): bigint {
  return BigInt(`0x${binary(json, name).toString('hex')}`);
}

/** node:crypto wants each coordinate in as many bytes as the curve has; JWKs come with fewer. */
function point(json: Members, hasD: boolean): JsonWebKey {
  const size = { 'P-256': 32, 'P-384': 48, 'P-521': 66 }[text(json, 'crv')]!;
  const coordinates = (hasD ? ['x', 'y', 'd'] : ['x', 'y']).map((name) => {
    const bytes = binary(json, name);
    const value = bytes.subarray(Math.max(0, bytes.length - size));
    if (bytes.subarray(0, bytes.length - value.length).some((byte) => byte !== 0)) fail();
    return [name, Buffer.concat([Buffer.alloc(size - value.length), value]).toString('base64url')];
  });
  return Object.fromEntries(coordinates) as JsonWebKey;
}

function curve(json: Members, ...curves: string[]): string {
  const name = text(json, 'crv');
  return curves.includes(name) ? name : fail();
}

function encoded(json: Members, names: readonly string[]): JsonWebKey {
  return Object.fromEntries(names.map((name) => [name, binary(json, name).toString('base64url')]));
}

/** Base64 of either alphabet, padded or not; never empty. */
function binary(json: Members, name: string): Buffer {
  const value = text(json, name);
  // Without the bits left over in the last character, as Go reads it.
  if (!BASE64.test(value) || (value.endsWith('=') ? value.length % 4 !== 0 : value.length % 4 === 1)) fail();
  return Buffer.from(value, 'base64url');
}

function text(json: Members, name: string): string {
  const value = Object.hasOwn(json, name) ? json[name] : '';
  return typeof value === 'string' ? value : fail();
}
