import { RegoObject, type RegoValue } from '../value.js';
import { type BuiltinContext, BuiltinError, type Builtins, operand } from './builtin.js';
import { parseUrl } from './go-url.js';

/** uri.* */
export const URI: Builtins = {
  'uri.is_valid': isValid,
  'uri.parse': parse,
};

/** The empty string is a valid reference, but one that nobody means. */
function isValid(_: BuiltinContext, ...[uri]: RegoValue[]): RegoValue {
  if (typeof uri !== 'string' || uri === '') return false;
  try {
    parseUrl(bytes(uri));
    return true;
  } catch (error) {
    if (error instanceof BuiltinError) return false;
    throw error;
  }
}

function parse(_: BuiltinContext, ...operands: RegoValue[]): RegoValue {
  const url = parseUrl(bytes(operand(operands[0]!, 1, 'string')));
  const [hostname, port] = splitPort(url.host);
  const parts = {
    scheme: url.scheme,
    hostname,
    port,
    path: url.path,
    raw_path: url.rawPath === '' ? url.path : url.rawPath,
    raw_query: url.rawQuery,
    fragment: url.fragment,
  };
  return new RegoObject(
    Object.entries(parts)
      .filter(([, part]) => part !== '')
      .map(([name, part]) => [name, text(part)] as const),
  );
}

function splitPort(host: string): [hostname: string, port: string] {
  const [, name = '', port = ''] = /^(.*?)(?::([0-9]*))?$/s.exec(host) ?? [];
  return [name.startsWith('[') && name.endsWith(']') ? name.slice(1, -1) : name, port];
}

/** UTF-8, one byte to a character. */
function bytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** What was percent-decoded may be no UTF-8; what isn't becomes U+FFFD, as in Go's JSON. */
function text(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
