import { limit } from './limit.js';
import { positions } from './search.js';
import { decodeUtf8 } from './utf8.js';

/** Characters of the result: both texts may be a caller's, and one may stand in the other many times. */
const LONGEST = 4 * 1024 * 1024;

/**
 * As Go's strings.Replacer does it for one text.
 *
 * @throws LimitError for a result that is too long
 */
export function replaceAll(text: string, old: string, replacement: string): string {
  if (old === '') return between(text, replacement);
  const found = positions(text, old);
  if (found.length === 0) return text;
  const length = text.length + found.length * (replacement.length - old.length);
  limit('characters of what replace makes', length, LONGEST);
  let result = '';
  let end = 0;
  for (const at of found) {
    result += text.slice(end, at) + replacement;
    end = at + old.length;
  }
  return result + text.slice(end);
}

/** The empty text is before each byte and at the end: not before each character, which comes apart as in Go. */
function between(text: string, replacement: string): string {
  const bytes = Buffer.from(text);
  limit('characters of what replace makes', bytes.length + (bytes.length + 1) * replacement.length, LONGEST);
  if (replacement === '') return text;
  if (bytes.length === text.length) return replacement + Array.from(text, (c) => c + replacement).join('');
  const inserted = Buffer.from(replacement);
  return decodeUtf8(
    Buffer.concat([inserted, ...Array.from(bytes, (byte) => [Buffer.of(byte), inserted]).flat()]),
  );
}
