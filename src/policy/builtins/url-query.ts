import { compareValues, RegoObject, RegoSet, type RegoValue } from '../value.js';
import { type Builtins, BuiltinError, operand } from './builtin.js';
import { quoted } from './go/quote.js';
import { memberName } from './json-marshal.js';
import { decodeUtf8 } from './utf8.js';

/** urlquery.*, as Go's net/url reads and writes queries (application/x-www-form-urlencoded) */
export const URL_QUERY: Builtins = {
  'urlquery.encode': (_, text) => escapeQuery(operand(text, 1, 'string')),

  'urlquery.decode': (_, text) => unescape(operand(text, 1, 'string')),

  'urlquery.encode_object'(_, object) {
    const members = Array.from(operand(object, 1, 'object'), ([key, value]): [string, string[]] => [
      memberName(key),
      texts(value),
    ]);
    return members
      .sort(([a], [b]) => compareValues(a, b))
      .flatMap(([name, values]) => values.map((value) => `${escapeQuery(name)}=${escapeQuery(value)}`))
      .join('&');
  },

  'urlquery.decode_object'(_, text) {
    const members = new Map<string, string[]>();
    const pairs = operand(text, 1, 'string').split('&');
    if (pairs.length > MOST_PARAMETERS)
      throw new BuiltinError('number of URL query parameters exceeded limit');
    for (const pair of pairs) {
      if (pair === '') continue;
      if (pair.includes(';')) throw new BuiltinError('invalid semicolon separator in query');
      const at = pair.indexOf('=');
      const name = unescape(at < 0 ? pair : pair.slice(0, at));
      const value = at < 0 ? '' : unescape(pair.slice(at + 1));
      const values = members.get(name);
      if (values === undefined) members.set(name, [value]);
      else values.push(value);
    }
    return new RegoObject(members);
  },
};

/** Go's own bound. */
const MOST_PARAMETERS = 10_000;

/** `url.QueryEscape`. */
export function escapeQuery(text: string): string {
  return encodeURIComponent(text.toWellFormed())
    .replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll('%20', '+');
}

function unescape(text: string): string {
  const wrong = /%(?![0-9a-fA-F]{2})/.exec(text);
  if (wrong !== null)
    throw new BuiltinError(`invalid URL escape ${quoted(text.slice(wrong.index, wrong.index + 3))}`);
  if (!text.includes('%')) return text.replaceAll('+', ' ');
  const bytes = Buffer.from(text);
  let length = 0;
  for (let at = 0; at < bytes.length; at++) {
    let byte = bytes[at]!;
    if (byte === PLUS) byte = SPACE;
    else if (byte === PERCENT) {
      byte = Number.parseInt(bytes.toString('latin1', at + 1, at + 3), 16);
      at += 2;
    }
    bytes[length++] = byte;
  }
  return decodeUtf8(bytes.subarray(0, length));
}

const [PERCENT, PLUS, SPACE] = [0x25, 0x2b, 0x20];

function texts(value: RegoValue): string[] {
  const values =
    value instanceof RegoSet || Array.isArray(value) ? [...(value as Iterable<RegoValue>)] : [value];
  if (values.every((one) => typeof one === 'string')) return values;
  throw new BuiltinError('operand 1 values must be string, array[string], or set[string]');
}
