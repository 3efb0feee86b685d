import { type Flags, pad } from './flags.js';
import { formatFloat } from './floats.js';
import { canBackquote, isPrintable, quoted, quotedRune } from './quote.js';
import type { GoBigInt } from './values.js';

/** What each verb of Go's package fmt makes of a value that it fits. */

const PREFIXES: Record<string, string> = { b: '0b', o: '0', x: '0x', X: '0X' };
const BASES: Record<string, number> = { b: 2, o: 8, O: 8, x: 16, X: 16 };

function digitsOf(value: bigint, verb: string): string {
  const digits = (value < 0n ? -value : value).toString(BASES[verb] ?? 10);
  return verb === 'X' ? digits.toUpperCase() : digits;
}

function signOf(flags: Flags, negative: boolean): string {
  if (negative) return '-';
  if (flags.plus) return '+';
  return flags.space ? ' ' : '';
}

export function formatInteger(flags: Flags, value: bigint, verb: string): string {
  const sign = signOf(flags, value < 0n);
  let digits = digitsOf(value, verb);
  if (flags.precision !== undefined) {
    if (flags.precision === 0 && value === 0n) return ' '.repeat(flags.width ?? 0);
    digits = digits.padStart(flags.precision, '0');
  } else if (flags.zero && !flags.minus && flags.width !== undefined) {
    digits = digits.padStart(flags.width - sign.length, '0');
  }
  let prefix = verb === 'O' ? '0o' : '';
  if (flags.sharp && !(verb === 'o' && digits.startsWith('0')))
    prefix += verb === 'O' ? '' : (PREFIXES[verb] ?? '');
  if (flags.sharp && verb === 'O' && !digits.startsWith('0')) digits = `0${digits}`;
  return pad(flags, sign + prefix + digits, false);
}

/** `big.Int.Format`, which counts the prefix among what zeros fill up. */
export function formatBigInt(flags: Flags, { value }: GoBigInt, verb: string): string {
  if (!'boOdsvxX'.includes(verb)) return `%!${verb}(big.Int=${value})`;
  const sign = signOf({ ...flags, plus: flags.plus || flags.plusV }, value < 0n);
  const sharp = flags.sharp || flags.sharpV;
  const prefix = verb === 'O' ? '0o' : sharp ? (PREFIXES[verb] ?? '') : '';
  let digits = digitsOf(value, verb).padStart(flags.precision ?? 0, '0');
  const missing = (flags.width ?? 0) - sign.length - prefix.length - digits.length;
  if (missing > 0 && flags.zero && !flags.minus && flags.precision === undefined)
    digits = '0'.repeat(missing) + digits;
  return pad(flags, sign + prefix + digits, false);
}

const NOT_A_CHARACTER = '\ufffd';

function character(value: bigint): string {
  const code = BigInt.asUintN(64, value);
  return isCharacter(code) ? String.fromCodePoint(Number(code)) : NOT_A_CHARACTER;
}

/** Half of a surrogate pair is none. */
function isCharacter(code: bigint): boolean {
  return code <= 0x10ffffn && (code < 0xd800n || code > 0xdfffn);
}

export function formatCharacter(flags: Flags, value: bigint): string {
  return pad(flags, character(value));
}

export function formatQuotedCharacter(flags: Flags, value: bigint): string {
  return pad(flags, quotedRune(character(value), flags.plus));
}

export function formatUnicode(flags: Flags, value: bigint): string {
  const code = BigInt.asUintN(64, value);
  const hex = code
    .toString(16)
    .toUpperCase()
    .padStart(Math.max(flags.precision ?? 0, 4), '0');
  const shown = flags.sharp && isCharacter(code) && isPrintable(character(value));
  return pad(flags, `U+${hex}${shown ? ` '${character(value)}'` : ''}`, false);
}

export function formatString(flags: Flags, text: string): string {
  return pad(flags, truncated(flags, text));
}

export function formatQuoted(flags: Flags, text: string): string {
  const shown = truncated(flags, text);
  if (flags.sharp && canBackquote(shown)) return pad(flags, `\`${shown}\``);
  return pad(flags, quoted(shown, flags.plus));
}

function truncated({ precision }: Flags, text: string): string {
  if (precision === undefined || text.length <= precision) return text;
  return Array.from(text).slice(0, precision).join('');
}

/** The bytes of a string, each as two hexadecimal digits. */
export function formatBytes(flags: Flags, text: string, verb: string): string {
  const bytes = Buffer.from(text).subarray(0, flags.precision);
  const prefix = flags.sharp ? PREFIXES[verb]! : '';
  const hex = verb === 'X' ? bytes.toString('hex').toUpperCase() : bytes.toString('hex');
  if (hex === '') return pad(flags, '');
  if (!flags.space) return pad(flags, prefix + hex);
  return pad(flags, (hex.match(/../g) ?? []).map((byte) => prefix + byte).join(' '));
}

export function formatReal(flags: Flags, value: number, verb: string, usual: number): string {
  const precision = flags.precision ?? usual;
  const text = formatFloat(value, verb, precision);
  const negative = text.startsWith('-');
  const unsigned = flags.sharp && verb !== 'b' ? withPoint(text, verb, precision) : text;
  const body = negative ? unsigned.slice(1) : unsigned;
  const sign = negative ? '-' : flags.plus ? '+' : flags.space ? ' ' : '';
  if (sign !== '' && flags.zero && !flags.minus && flags.width !== undefined)
    return sign + body.padStart(flags.width - 1, '0');
  return pad(flags, sign + body);
}

/** The flag `#` asks for a decimal point, and `%g` then for the zeros that it leaves out. */
function withPoint(text: string, verb: string, precision: number): string {
  const match = /^(-?(?:0[xX])?)([0-9a-fA-F.]*?)((?:[eE][+-]|[pP][+-])[0-9]+)?$/.exec(text);
  if (match === null) return text;
  const [, lead = '', number = '', tail = ''] = match;
  const digits = number.replace('.', '');
  let wanted = 'gGx'.includes(verb) ? (precision === -1 ? 6 : precision) : 0;
  // Go counts from the first character that is no zero, and the x of a hexadecimal prefix is one.
  if (lead.endsWith('x')) wanted -= digits.length + 1;
  else wanted -= number === '0' ? 1 : digits.replace(/^0+/, '').length;
  return `${lead}${number}${number.includes('.') ? '' : '.'}${'0'.repeat(Math.max(wanted, 0))}${tail}`;
}
