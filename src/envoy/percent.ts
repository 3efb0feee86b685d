/** Percent-encodes every byte of the text's UTF-8 form (RFC 3986 section 2.1), upper-case. */
export function percentEncode(text: string): string {
  let out = '';
  for (const byte of Buffer.from(text, 'utf8')) {
    out += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return out;
}

/**
 * Undoes percent-encoding. Bytes that are not UTF-8 become U+FFFD.
 *
 * @returns undefined when a `%` is not followed by two hexadecimal digits
 */
export function percentDecode(text: string): string | undefined {
  if (!text.includes('%')) return text;
  if (/%(?![0-9a-f]{2})/i.test(text)) return undefined;
  const bytes = text
    // eslint-disable-next-line no-control-regex -- everything above ASCII, as its own bytes
    .replace(/[^\u0000-\u007f]+/g, percentEncode)
    .replace(/%../g, (escape) => String.fromCharCode(Number.parseInt(escape.slice(1), 16)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}
