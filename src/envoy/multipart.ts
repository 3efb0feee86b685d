import { parseExact } from '../json/exact.js';
import { parseParameters } from './parameters.js';

/**
 * A `multipart/form-data` body (RFC 7578) as lists of values by field name: text, or JSON where the part says
 * so. Parts without a name are left out.
 *
 * What parsers are known to disagree on is malformed here, so that a policy never judges another form than
 * the upstream gets: mixed line ends, text behind a boundary, folded or repeated part headers, a
 * transfer encoding, extended (`name*`) and escaped names, a body without its closing boundary.
 *
 * @returns undefined when the body is malformed
 */
export function parseMultipart(
  body: string,
  boundary: string,
): { readonly [name: string]: readonly unknown[] } | undefined {
  const pieces = split(body, boundary);
  if (pieces === undefined) return undefined;
  const values = new Map<string, unknown[]>();
  for (const piece of pieces.parts) {
    const part = parsePart(piece, pieces.newline);
    if (part === undefined) return undefined;
    if (part.name === '') continue;
    const known = values.get(part.name);
    if (known) known.push(part.value);
    else values.set(part.name, [part.value]);
  }
  return Object.fromEntries(values);
}

function split(body: string, boundary: string): { parts: string[]; newline: string } | undefined {
  const escaped = boundary.replace(/[^0-9A-Za-z]/g, '\\$&');
  const parts: string[] = [];
  let newline: string | undefined;
  let start = 0;
  for (const match of body.matchAll(new RegExp(`(^|\\r?\\n)--${escaped}([^\\n]*?)(\\r?\\n|$)`, 'g'))) {
    const [line, before, tail, after] = match;
    if (newline !== undefined) {
      if (before !== newline) return undefined;
      parts.push(body.slice(start, match.index));
    }
    if (/^--[ \t]*$/.test(tail!)) return { parts, newline: newline ?? '' };
    if (/[^ \t]/.test(tail!)) return undefined;
    newline ??= after!;
    if (after !== newline) return undefined;
    start = match.index + line.length;
  }
  return undefined;
}

function parsePart(part: string, newline: string): { name: string; value: unknown } | undefined {
  const headless = part.startsWith(newline);
  const end = headless ? 0 : part.indexOf(newline + newline);
  if (end < 0) return undefined;
  const headers = parseHeaders(headless ? [] : part.slice(0, end).split(newline));
  if (headers === undefined) return undefined;
  const name = fieldName(headers.get('content-disposition'));
  if (name === undefined) return undefined;
  // RFC 7578 section 4.7 has done away with every encoding that changes the bytes.
  if (!/^(?:7bit|8bit|binary)$/i.test(headers.get('content-transfer-encoding') ?? '7bit')) return undefined;
  const text = part.slice(end + (headless ? newline.length : 2 * newline.length));
  if (!headers.get('content-type')?.toLowerCase().includes('application/json')) return { name, value: text };
  try {
    return { name, value: parseExact(text) };
  } catch {
    return undefined;
  }
}

function parseHeaders(lines: readonly string[]): Map<string, string> | undefined {
  const headers = new Map<string, string>();
  for (const line of lines) {
    const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n]*)$/.exec(line);
    const name = match?.[1]?.toLowerCase();
    if (name === undefined || headers.has(name)) return undefined;
    headers.set(name, match![2]!.trimEnd());
  }
  return headers;
}

/** Empty for a part that is no form field; undefined when it can't be told. */
function fieldName(disposition: string | undefined): string | undefined {
  if (disposition === undefined) return '';
  const parsed = parseParameters(disposition);
  if (parsed === undefined) return undefined;
  if ([...parsed.parameters.keys()].some((parameter) => parameter.startsWith('name*'))) return undefined;
  const name = parsed.parameters.get('name') ?? '';
  if (name.includes('\\')) return undefined;
  return parsed.value === 'form-data' ? name : '';
}
