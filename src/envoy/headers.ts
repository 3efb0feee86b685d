import type { HttpRequest } from './messages.js';
import { sanitizedUtf8 } from './text.js';

/** The headers of one request, whichever of Envoy's two forms they came in. Names are lower-case. */
export interface Headers {
  /** Every value under a name, in order. In the `headers` form Envoy has joined repeats into one. */
  values(name: string): readonly string[];
  names(): readonly string[];
}

/**
 * Reads `headers`, or `header_map` where Envoy has `encode_raw_headers` on: then values are bytes, and
 * repeats stand apart. Bytes become text as UTF-8, as the `headers` form has it.
 */
export function readHeaders(http: HttpRequest): Headers {
  const entries = http.headerMap?.headers;
  if (entries === undefined) return fromRecord(http.headers ?? {});
  const map = new Map<string, string[]>();
  for (const { key, value, rawValue } of entries) {
    const name = (key ?? '').toLowerCase();
    const text = rawValue && rawValue.length > 0 ? sanitizedUtf8(rawValue) : (value ?? '');
    const values = map.get(name);
    if (values) values.push(text);
    else map.set(name, [text]);
  }
  return { values: (name) => map.get(name) ?? [], names: () => [...map.keys()] };
}

const NONE: readonly string[] = [];

function fromRecord(record: { readonly [name: string]: string }): Headers {
  return {
    values: (name) => (Object.hasOwn(record, name) ? [record[name]!] : NONE),
    names: () => Object.keys(record),
  };
}
