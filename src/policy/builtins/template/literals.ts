import { isUtf8 } from 'node:buffer';
import { BuiltinError } from '../builtin.js';
import { GoFloat, GoInt, type GoValue } from '../go/values.js';
import { LimitError } from '../limit.js';

/** Constants of a template, which are Go's. */

const SINGLE: Record<string, string> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
};

/**
 * @param literal with its quotes
 * @throws LimitError for bytes that are no UTF-8, which no text of ours can hold
 */
export function stringLiteral(literal: string): string {
  if (literal.startsWith('`')) return literal.slice(1, -1).replaceAll('\r', '');
  return unescaped(literal.slice(1, -1), '"', (bytes) => {
    if (!isUtf8(bytes)) throw new LimitError('strings.render_template: a string that is not UTF-8');
    return bytes.toString('utf8');
  });
}

export function characterLiteral(literal: string): GoInt {
  const text = unescaped(literal.slice(1, -1), "'", (bytes) => bytes.toString('latin1'));
  const code = text.codePointAt(0);
  if (code === undefined || String.fromCodePoint(code) !== text)
    throw new BuiltinError('template: malformed character constant');
  return new GoInt(BigInt(code));
}

/** `\xHH` and `\OOO` are bytes, of which several may be one character. */
const ESCAPE = /((?:\\x[0-9a-fA-F]{2}|\\[0-3][0-7]{2})+)|\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([\s\S]))/g;

function unescaped(text: string, quote: string, decode: (bytes: Buffer) => string): string {
  return text.replace(
    ESCAPE,
    (_whole, bytes?: string, short?: string, long?: string, single?: string): string => {
      if (bytes !== undefined) return decode(Buffer.from(bytes.split('\\').slice(1).map(byte)));
      const hex = short ?? long;
      if (hex !== undefined) return character(Number.parseInt(hex, 16));
      const found = single === quote ? quote : SINGLE[single ?? ''];
      if (found === undefined) throw new BuiltinError('template: invalid syntax in a string');
      return found;
    },
  );
}

function byte(digits: string): number {
  return digits.startsWith('x') ? Number.parseInt(digits.slice(1), 16) : Number.parseInt(digits, 8);
}

function character(code: number): string {
  if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
    throw new BuiltinError('template: invalid syntax in a string');
  return String.fromCodePoint(code);
}

const INTEGER = /^([+-]?)(0[xX](?:_?[0-9a-fA-F])+|0[bB](?:_?[01])+|0[oO]?(?:_?[0-7])+|0|[1-9](?:_?[0-9])*)$/;

const DIGITS = '[0-9](?:_?[0-9])*';
const FLOAT = new RegExp(
  `^[+-]?(?:${DIGITS}\\.(?:${DIGITS})?|\\.${DIGITS}|${DIGITS}(?=[eE]))(?:[eE][+-]?${DIGITS})?$`,
);

/**
 * An integer in any of Go's bases, or a float where it is written as one.
 *
 * @throws LimitError for a complex number, and for a float in hexadecimal digits
 */
export function numberLiteral(literal: string): GoValue {
  const match = INTEGER.exec(literal);
  if (match !== null) {
    const [, sign, digits = ''] = match;
    const magnitude = BigInt(digits.replaceAll('_', '').replace(/^0(?=[0-7])/, '0o'));
    const value = sign === '-' ? -magnitude : magnitude;
    if (BigInt.asIntN(64, value) !== value) throw new BuiltinError('template: integer overflow');
    return new GoInt(value);
  }
  const value = FLOAT.test(literal) ? Number(literal.replaceAll('_', '')) : NaN;
  if (Number.isFinite(value)) return new GoFloat(value);
  if (/i$|^[+-]?0[xX].*[pP]/.test(literal))
    throw new LimitError(`strings.render_template: complex numbers and hexadecimal floats are not supported`);
  throw new BuiltinError('template: bad number syntax');
}
