import { percentDecode } from './percent.js';

const MOST_PARAMETERS = 10_000;

/**
 * A query or an `application/x-www-form-urlencoded` body as lists of values by name, in order.
 *
 * @returns undefined for an invalid percent escape, for a `;`, which some take for a separator, and for more than
 * 10,000 parameters, which no service wants and which cost a second of everybody's time
 */
export function parseUrlencoded(text: string): { readonly [name: string]: readonly string[] } | undefined {
  if (text === '') return {};
  const values = new Map<string, string[]>();
  if (text.includes(';')) return undefined;
  let count = 0;
  let rest = 0;
  while (rest <= text.length) {
    const next = text.indexOf('&', rest);
    const pair = text.slice(rest, next < 0 ? undefined : next);
    rest = next < 0 ? text.length + 1 : next + 1;
    if (pair === '') continue;
    if (++count > MOST_PARAMETERS) return undefined;
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
