import { resolve } from './resolve.js';

/** How go-yaml v3 writes a string: plain where that reads as one, quoted otherwise, in lines where it has lines. */

const SPECIAL_START = /^(?:---|\.\.\.|[#,[\]{}&*!|>'"%@`]|[?:-](?:[ \t\n\r\u0085\u2028\u2029]|$))/;
const SPECIAL_INSIDE = /:(?:[ \t\n\r\u0085\u2028\u2029]|$)|[ \t\n\r\u0085\u2028\u2029\0]#/;
const BREAK = /[\r\n\u0085\u2028\u2029]/;
const UNPRINTABLE = /[^\t\n\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd]/;
const OLD_BOOLEANS = /^(?:[yY]|yes|Yes|YES|on|On|ON|[nN]|no|No|NO|off|Off|OFF)$/;
const SEXAGESIMAL = /^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$/;

export function hasLines(text: string): boolean {
  return BREAK.test(text);
}

/** @param key a key is never empty, nor of more than one line */
export function inline(text: string, key: boolean, indent: number): string {
  const reads = resolve(text).kind === 'str' && !isTimestamp(text);
  const plain = reads && !OLD_BOOLEANS.test(text) && !SEXAGESIMAL.test(text);
  if (text.includes('\n') || !plain) return doubleQuoted(text);
  if (plainAllowed(text) && !(text === '' && key)) return text;
  return singleAllowed(text) ? singleQuoted(text, indent) : doubleQuoted(text);
}

/** A literal block, where the text has lines and nothing in it forbids one. */
export function block(text: string, indent: number): string | undefined {
  if (!text.includes('\n') || / $| [\r\n\u0085\u2028\u2029]/.test(text) || unprintable(text))
    return undefined;
  const hint = / /.test(text[0]!) || BREAK.test(text[0]!) ? '2' : '';
  const chomp = !BREAK.test(text.at(-1)!) ? '-' : text.length === 1 || BREAK.test(text.at(-2)!) ? '+' : '';
  const pad = ' '.repeat(Math.max(indent, 2));
  const lines = text.replace(/(^|[\r\n\u0085\u2028\u2029])(?=[^\r\n\u0085\u2028\u2029])/g, `$1${pad}`);
  return `|${hint}${chomp}\n${lines.replace(/\n$/, '')}`;
}

function plainAllowed(text: string): boolean {
  if (text === '') return true;
  if (/^ | $/.test(text) || BREAK.test(text) || text.includes('\t') || unprintable(text)) return false;
  return !SPECIAL_START.test(text) && !SPECIAL_INSIDE.test(text);
}

function singleAllowed(text: string): boolean {
  return (
    !text.includes('\t') &&
    !unprintable(text) &&
    !/[\r\n\u0085\u2028\u2029] | [\r\n\u0085\u2028\u2029]/.test(text)
  );
}

/** Beyond the basic plane everything is, to libyaml. */
function unprintable(text: string): boolean {
  return UNPRINTABLE.test(text);
}

function singleQuoted(text: string, indent: number): string {
  const pad = ' '.repeat(Math.max(indent, 2));
  return `'${text.replaceAll("'", "''").replace(/[\u2028\u2029]+(?=[^\u2028\u2029])/g, `$&${pad}`)}'`;
}

const ESCAPES: Record<string, string> = {
  '\0': '0',
  '\x07': 'a',
  '\b': 'b',
  '\t': 't',
  '\n': 'n',
  '\v': 'v',
  '\f': 'f',
  '\r': 'r',
  '\x1b': 'e',
  '"': '"',
  '\\': '\\',
  '\x85': 'N',
  '\xa0': '_',
  '\u2028': 'L',
  '\u2029': 'P',
};

function doubleQuoted(text: string): string {
  return `"${Array.from(text, escaped).join('')}"`;
}

function escaped(character: string): string {
  if (!unprintable(character) && !BREAK.test(character) && !'\t"\\'.includes(character)) return character;
  const escape = ESCAPES[character];
  if (escape !== undefined) return `\\${escape}`;
  const hex = character.codePointAt(0)!.toString(16).toUpperCase();
  if (hex.length <= 2) return `\\x${hex.padStart(2, '0')}`;
  return hex.length <= 4 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
}

const TIMESTAMP =
  /^([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})(?:(?:[Tt](?<time>[0-9:]+)(?:[.,][0-9]+)?(?:Z|[+-][0-9]{2}:[0-9]{2}))| (?<local>[0-9:]+)(?:[.,][0-9]+)?)?$/;

/** In one of the forms that go-yaml knows, all of its numbers within their bounds. */
function isTimestamp(text: string): boolean {
  const match = TIMESTAMP.exec(text);
  if (match === null) return false;
  const [year, month, day] = match.slice(1, 4).map(Number) as [number, number, number];
  const date = new Date(Date.UTC(2000 + (year % 400), month - 1, day));
  if (month < 1 || date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return false;
  const time = match.groups?.['time'] ?? match.groups?.['local'];
  return time === undefined || /^(?:[01]?[0-9]|2[0-3]):[0-5]?[0-9]:[0-5]?[0-9]$/.test(time);
}
