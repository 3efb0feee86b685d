import { percentDecode } from './percent.js';

/**
 * A query or an `application/x-www-form-urlencoded` body as lists of values by name, in order.
 *
 * @returns undefined for an invalid percent escape and for a `;`, which some take for a separator
 */
export function parseUrlencoded(text: string): { readonly [name: string]: readonly string[] } | undefined {
  const values = new Map<string, string[]>();
  if (text.includes(';')) return undefined;
  for (const pair of text.split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const name = decode(equals < 0 ? pair : pair.slice(0, equals));
    const value = decode(equals < 0 ? '' : pair.slice(equals + 1));
    if (name === undefined || value === undefined) return undefined;
    const known = values.get(name);
    if (known) known.push(value);
    else values.set(name, [value]);
  }
  return Object.fromEntries(values);
}

function decode(text: string): string | undefined {
  return percentDecode(text.replaceAll('+', ' '));
}
