import type { RegoValue } from '../value.js';
import { BuiltinError, operand } from './builtin.js';
import { marshalJson, readJson } from './go-json.js';
import { parseJwks } from './jwk.js';
import { JWS_ALGORITHMS, signJws } from './jws.js';

/** io.jwt.encode_sign: headers, payload and key as objects. */
export function encodeSign(_: unknown, headers: RegoValue, payload: RegoValue, key: RegoValue): string {
  return compact(marshalJson(headers), marshalJson(payload), marshalJson(key));
}

/** io.jwt.encode_sign_raw: headers, payload and key as texts, which are signed as they are. */
export function encodeSignRaw(_: unknown, headers: RegoValue, payload: RegoValue, key: RegoValue): string {
  const jwk = operand(key, 3, 'string');
  return compact(operand(headers, 1, 'string'), operand(payload, 2, 'string'), jwk);
}

/** @throws BuiltinError, which says nothing of the key */
function compact(headers: string, payload: string, jwk: string): string {
  const [first] = parseJwks(jwk);
  if (first === undefined) throw new BuiltinError('no keys found in JWK set');
  const { alg, typ } = readHeaders(headers);
  if (alg === undefined)
    throw new BuiltinError(`missing or invalid 'alg' header: jwsbb: header "alg" not found`);
  if (typeof alg !== 'string') throw new BuiltinError(`missing or invalid 'alg' header: it is not a string`);
  if (!JWS_ALGORITHMS.has(alg)) throw new BuiltinError(`unknown JWS algorithm: ${alg}`);
  if ((typeof typ !== 'string' || typ === 'JWT') && !isJson(payload)) {
    throw new BuiltinError('type is JWT but payload is not JSON');
  }
  const data = `${base64url(headers)}.${base64url(payload)}`;
  return `${data}.${signJws(alg, first.key, Buffer.from(data)).toString('base64url')}`;
}

/** Of members that repeat the first counts, as for OPA's library; what is not an object has none. */
function readHeaders(text: string): { alg?: unknown; typ?: unknown } {
  let json: unknown;
  try {
    json = readJson(text, 'first');
  } catch {
    const fault = text.trim() === '' ? ': cannot parse empty string' : '';
    throw new BuiltinError(`missing or invalid 'alg' header: cannot parse JSON${fault}`);
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return {};
  const member = (name: string) =>
    Object.hasOwn(json, name) ? (json as { [name: string]: unknown })[name] : undefined;
  return { alg: member('alg'), typ: member('typ') };
}

function isJson(text: string): boolean {
  try {
    readJson(text, 'last');
    return true;
  } catch {
    return false;
  }
}

function base64url(text: string): string {
  return Buffer.from(text).toString('base64url');
}
