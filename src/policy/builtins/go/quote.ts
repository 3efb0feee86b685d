/** Go's quoting of strings and characters (package strconv). */

const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

const ESCAPES: Record<string, string> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
};

export function isPrintable(character: string): boolean {
  return PRINTABLE.test(character);
}

/**
 * `strconv.Quote`, which is also how OPA writes a string within a value.
 *
 * @param ascii escapes everything beyond ASCII, as `%+q` does
 */
export function quoted(text: string, ascii = false): string {
  let out = '"';
  for (const character of text) out += escaped(character, '"', ascii);
  return `${out}"`;
}

/** `strconv.QuoteRune`. */
export function quotedRune(character: string, ascii = false): string {
  return `'${escaped(character, "'", ascii)}'`;
}

function escaped(character: string, quote: string, ascii: boolean): string {
  if (character === quote) return `\\${quote}`;
  const escape = ESCAPES[character];
  if (escape !== undefined) return escape;
  const code = character.codePointAt(0)!;
  if (isPrintable(character) && (!ascii || code < 0x80)) return character;
  // Half of a surrogate pair is no character to Go.
  if (code >= 0xd800 && code <= 0xdfff) return ascii ? '\\ufffd' : '\ufffd';
  const hex = code.toString(16);
  if (code < 0x20 || code === 0x7f) return `\\x${hex.padStart(2, '0')}`;
  return code < 0x10000 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`;
}

/** Whether a string can be written within backquotes (`strconv.CanBackquote`). */
export function canBackquote(text: string): boolean {
  // eslint-disable-next-line no-control-regex -- these are what it may not have, but for the tab
  return !/[\u0000-\u0008\u000a-\u001f\u007f`\ufeff]/.test(text);
}
