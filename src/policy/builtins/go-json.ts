import { ExactNumber, parseExact, type ExactJson } from '../../json/exact.js';
import { formatValue } from '../text.js';
import { RegoObject, RegoSet, type RegoValue } from '../value.js';
import { BuiltinError } from './builtin.js';

/** Arrays and objects within each other in a JSON text of a token or a key. */
const MAX_DEPTH = 1000;

/**
 * A JSON text as OPA reads it: of members that repeat the last counts, and every number is exact.
 *
 * @throws BuiltinError, which never quotes the text
 */
export function parseJson(text: string): RegoValue {
  return toValue(readJson(text, 'last'));
}

/** @throws BuiltinError, which never quotes the text */
export function readJson(text: string, repeated: 'first' | 'last'): ExactJson {
  try {
    return parseExact(text, { maxDepth: MAX_DEPTH, repeated });
  } catch (error) {
    if (error instanceof SyntaxError) throw new BuiltinError(`invalid JSON: ${error.message}`);
    throw error;
  }
}

export function toValue(json: ExactJson): RegoValue {
  if (Array.isArray(json)) return json.map(toValue);
  if (json === null || typeof json !== 'object' || json instanceof ExactNumber) return json;
  return new RegoObject(Object.entries(json).map(([name, value]) => [name, toValue(value)]));
}

/**
 * JSON as Go's json.Marshal writes what OPA gives it: sets are arrays, keys that are no strings are their own
 * JSON, members are sorted by the bytes of their names, and `<`, `>`, `&`, U+2028 and U+2029 are escaped.
 */
export function marshalJson(value: RegoValue): string {
  if (typeof value === 'string') return marshalString(value);
  if (value instanceof RegoSet || Array.isArray(value)) {
    return `[${Array.from(value as Iterable<RegoValue>, marshalJson).join(',')}]`;
  }
  if (value instanceof RegoObject) {
    const members = Array.from(value, ([key, item]): [string, string] => [
      typeof key === 'string' ? key : marshalJson(key),
      marshalJson(item),
    ]);
    members.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    return `{${members.map(([name, text]) => `${marshalString(name)}:${text}`).join(',')}}`;
  }
  return formatValue(value);
}

const ESCAPED = /[<>&\u2028\u2029]/g;

function marshalString(text: string): string {
  // JSON.stringify would write a lone surrogate as an escape; as UTF-8 it is U+FFFD, which Go has in its place.
  const whole = Buffer.from(text).toString();
  return JSON.stringify(whole).replace(ESCAPED, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
