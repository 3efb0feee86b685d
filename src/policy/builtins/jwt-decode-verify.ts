import { createSecretKey } from 'node:crypto';
import { compareNumbers } from '../number.js';
import { RegoObject, type RegoNumber, type RegoValue, typeOf } from '../value.js';
import { type BuiltinContext, BuiltinError, operand } from './builtin.js';
import { LimitError } from './limit.js';
import type { Jwk } from './jwk.js';
import { verifyJws } from './jws.js';
import {
  decodeHeader,
  decodeSection,
  readHeader,
  readObject,
  signedData,
  splitToken,
  type TokenHeader,
} from './jwt-token.js';
import { verificationKeys, verifiedByAny } from './verification-keys.js';

/** What a token must meet; the empty string stands for a constraint that is not there. */
interface Constraints {
  readonly alg: string;
  readonly iss: string;
  readonly aud: string;
  /** Nanoseconds since the epoch. A double, as OPA's. */
  readonly time: number;
  readonly verify: (header: TokenHeader, data: Buffer, signature: Buffer) => boolean;
}

/** Tokens within one another; OPA has no bound. */
const MAX_NESTED = 16;

/**
 * io.jwt.decode_verify: `[true, header, payload]` for a token whose signature is right and that meets every
 * constraint, else `[false, {}, {}]`.
 *
 * @throws BuiltinError where the token or the constraints are malformed; it never quotes the token
 */
export function decodeVerify(context: BuiltinContext, jwt: RegoValue, given: RegoValue): RegoValue {
  const constraints = readConstraints(operand(given, 2, 'object'), context.now);
  const verified = openToken(jwt, constraints);
  if (verified === undefined || !meets(verified.payload, constraints)) {
    return [false, new RegoObject([]), new RegoObject([])];
  }
  return [true, verified.header, verified.payload];
}

/** Verifies a token and those nested in it (RFC 7519 section 7.2), down to the claims; undefined if one is not right. */
function openToken(
  jwt: RegoValue,
  constraints: Constraints,
): { header: RegoObject; payload: RegoObject } | undefined {
  let current = jwt;
  for (let depth = 0; depth < MAX_NESTED; depth++) {
    const token = splitToken(current);
    const decoded = decodeHeader(token);
    const header = readHeader(decoded);
    if (header.alg === '' || header.critical) return undefined;
    if (constraints.alg !== '' && constraints.alg !== header.alg) return undefined;
    const signature = decodeSection('JWT signature had invalid encoding', token.signature);
    if (!constraints.verify(header, signedData(token), signature)) return undefined;
    const payload = decodeSection('JWT payload had invalid encoding', token.payload).toString();
    if (header.cty.toUpperCase() !== 'JWT') return { header: decoded, payload: readObject(payload) };
    current = payload;
  }
  throw new LimitError(`JWTs are nested deeper than ${MAX_NESTED}`);
}

function readConstraints(given: RegoObject, now: bigint): Constraints {
  const found: { [name: string]: string } = {};
  let time = Number(now);
  let keys: readonly Jwk[] | undefined;
  for (const [name, value] of given) {
    switch (name) {
      case 'cert':
        keys = verificationKeys(text(name, value));
        break;
      case 'secret':
      case 'alg':
      case 'iss':
      case 'aud':
        found[name] = text(name, value);
        break;
      case 'time':
        time = readTime(value);
        break;
      default:
        throw new BuiltinError(`unknown token validation constraint: ${String(name)}`);
    }
  }
  const { secret = '', alg = '', iss = '', aud = '' } = found;
  if (keys !== undefined && secret !== '') throw new BuiltinError('duplicate key constraints');
  if (keys === undefined && secret === '') throw new BuiltinError('no key constraint');
  return { alg, iss, aud, time, verify: keys === undefined ? bySecret(secret) : byKeys(keys) };
}

function byKeys(keys: readonly Jwk[]): Constraints['verify'] {
  return (header, data, signature) =>
    verifiedByAny(keys, header, (key) => verifyJws(header.alg, key, data, signature));
}

function bySecret(secret: string): Constraints['verify'] {
  const key = createSecretKey(Buffer.from(secret));
  return ({ alg }, data, signature) => verifyJws(alg, key, data, signature);
}

function text(name: string, value: RegoValue): string {
  if (typeof value === 'string') return value;
  throw new BuiltinError(`${name} constraint: must be a string`);
}

function readTime(value: RegoValue): number {
  if (typeOf(value) !== 'number') throw new BuiltinError('token time constraint: must be a number');
  const time = Number(typeof value === 'object' ? (value as { text: string }).text : value);
  if (!Number.isFinite(time)) throw new BuiltinError('token time constraint: unvalid float64');
  if (time < 0) throw new BuiltinError('token time constraint: must not be negative');
  return time;
}

/** The registered claims (RFC 7519 section 4.1). A token with an audience is refused where none is expected. */
function meets(payload: RegoObject, { iss, aud, time }: Constraints): boolean {
  if (iss !== '' && !isIssuer(payload.get('iss'), iss)) return false;
  const audience = payload.get('aud');
  if (audience === undefined ? aud !== '' : !names(audience, aud)) return false;
  const seconds = time / 1e9;
  const expires = numeric(payload, 'exp');
  if (expires !== undefined && compareNumbers(seconds, expires) >= 0) return false;
  const notBefore = numeric(payload, 'nbf');
  return notBefore === undefined || compareNumbers(seconds, notBefore) >= 0;
}

/** OPA itself panics for an issuer that is not a string; here it is an error like others. */
function isIssuer(found: RegoValue | undefined, wanted: string): boolean {
  if (found !== undefined && typeof found !== 'string') throw new BuiltinError('iss value must be a string');
  return found === wanted;
}

function names(audience: RegoValue, wanted: string): boolean {
  return Array.isArray(audience) ? audience.includes(wanted) : audience === wanted;
}

function numeric(payload: RegoObject, name: string): RegoNumber | undefined {
  const value = payload.get(name);
  if (value === undefined) return undefined;
  if (typeOf(value) !== 'number') throw new BuiltinError(`${name} value must be a number`);
  return value as RegoNumber;
}
