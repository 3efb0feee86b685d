import { RegoObject, type RegoValue } from '../value.js';
import { BuiltinError, operand } from './builtin.js';
import { decodeBase64Url } from './go-base64.js';
import { parseJson } from './go-json.js';

/** The three sections of a JWS in compact form (RFC 7515 section 7.1), still encoded. */
export interface Token {
  readonly header: string;
  readonly payload: string;
  readonly signature: string;
}

/** What of a JOSE header decides how a token is verified; the empty string stands for what it lacks. */
export interface TokenHeader {
  readonly alg: string;
  readonly kid: string;
  readonly cty: string;
  /** Whether it names a critical parameter that is not understood here (RFC 7515 section 4.1.11). */
  readonly critical: boolean;
}

/** @throws BuiltinError, which like every error here never quotes the token */
export function splitToken(value: RegoValue): Token {
  const text = operand(value, 1, 'string');
  if (!text.includes('.')) throw new BuiltinError('encoded JWT had no period separators');
  // A text of dots alone would otherwise become a list as long as it.
  const parts = text.split('.', 5);
  const [header, payload, signature] = parts;
  if (parts.length !== 3 || header === undefined || payload === undefined || signature === undefined) {
    throw new BuiltinError(`encoded JWT must have 3 sections, found ${text.split('.').length}`);
  }
  return { header, payload, signature };
}

/** The bytes that the signature is over. */
export function signedData({ header, payload }: Token): Buffer {
  return Buffer.from(`${header}.${payload}`);
}

/** @throws BuiltinError for anything but a JSON object, and for an encrypted token */
export function decodeHeader({ header }: Token): RegoObject {
  const text = decodeSection('JWT header had invalid encoding', header).toString();
  const decoded = readObject(text, 'bad JWT header: ');
  if (decoded.has('enc')) throw new BuiltinError('JWT is a JWE object, which is not supported');
  return decoded;
}

/** @throws BuiltinError */
export function decodeSection(fault: string, section: string): Buffer {
  try {
    return decodeBase64Url(section);
  } catch (error) {
    throw error instanceof BuiltinError ? new BuiltinError(`${fault}: ${error.message}`) : error;
  }
}

/** @throws BuiltinError */
export function readObject(text: string, prefix = ''): RegoObject {
  let value: RegoValue;
  try {
    value = parseJson(text);
  } catch (error) {
    throw error instanceof BuiltinError ? new BuiltinError(prefix + error.message) : error;
  }
  if (value instanceof RegoObject) return value;
  throw new BuiltinError(`${prefix}decoded JSON type was not an Object`);
}

const UNDERSTOOD = new Set<RegoValue>(['alg', 'kid', 'typ', 'cty', 'crit']);

/** @throws BuiltinError for a parameter of the wrong type */
export function readHeader(header: RegoObject): TokenHeader {
  text(header, 'typ');
  const crit = readCritical(header);
  return {
    alg: text(header, 'alg'),
    kid: text(header, 'kid'),
    cty: text(header, 'cty'),
    critical: header.keys().some((name) => !UNDERSTOOD.has(name) && crit.has(name)),
  };
}

function text(header: RegoObject, name: string): string {
  const value = header.get(name);
  if (value === undefined) return '';
  if (typeof value !== 'string') throw new BuiltinError(`${name}: must be a string`);
  return value;
}

function readCritical(header: RegoObject): ReadonlySet<RegoValue> {
  const value = header.get('crit');
  if (value === undefined) return new Set();
  if (!Array.isArray(value)) throw new BuiltinError('crit: must be a list');
  // OPA stops at the first element that is no string, and keeps those before it.
  const end = value.findIndex((name) => typeof name !== 'string');
  const names = new Set<RegoValue>(end < 0 ? value : value.slice(0, end));
  if (names.size === 0) throw new BuiltinError('crit: must be a nonempty list');
  return names;
}
