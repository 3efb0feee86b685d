import { type Builtins, BuiltinError, operand } from './builtin.js';
import { decodeBase64, decodeBase64Url, tryDecodeBase64 } from './go-base64.js';
import { quotedRune } from './go/quote.js';
import { JSON_MARSHAL } from './json-marshal.js';
import { URL_QUERY } from './url-query.js';
import { decodeUtf8 } from './utf8.js';
import { YAML } from './yaml.js';

/** base64.decode, base64.is_valid, base64url.decode, base64url.encode_no_pad, hex.*, urlquery.*, yaml.*, json.marshal_with_options */
export const ENCODING: Builtins = {
  ...JSON_MARSHAL,
  ...URL_QUERY,
  ...YAML,

  'base64.decode': (_, text) => decodeUtf8(decodeBase64(operand(text!, 1, 'string'))),

  'base64.is_valid': (_, text) => typeof text === 'string' && tryDecodeBase64(text) !== undefined,

  'base64url.decode': (_, text) => decodeUtf8(decodeBase64Url(operand(text!, 1, 'string'))),

  'base64url.encode_no_pad'(_, text) {
    return Buffer.from(operand(text, 1, 'string')).toString('base64url');
  },

  'hex.encode'(_, text) {
    return Buffer.from(operand(text, 1, 'string')).toString('hex');
  },

  'hex.decode'(_, text) {
    const hex = operand(text, 1, 'string');
    const wrong = /[^0-9a-fA-F]/.exec(hex);
    if (wrong !== null) throw new BuiltinError(`encoding/hex: invalid byte: ${byteAt(hex, wrong.index)}`);
    if (hex.length % 2 === 1) throw new BuiltinError('encoding/hex: odd length hex string');
    return decodeUtf8(Buffer.from(hex, 'hex'));
  },
};

/** The first byte of a character, for which Go takes it. */
function byteAt(text: string, at: number): string {
  const byte = Buffer.from(text.slice(at, at + 2))[0]!;
  return `U+${byte.toString(16).toUpperCase().padStart(4, '0')} ${quotedRune(String.fromCodePoint(byte))}`;
}
