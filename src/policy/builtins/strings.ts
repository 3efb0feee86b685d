import type { RegoValue } from '../value.js';
import { type Builtins, BuiltinError, operand, strings } from './builtin.js';
import { int64 } from './int64.js';
import { occurrences } from './search.js';

/** indexof_n, strings.*, but for the template */
export const STRINGS: Builtins = {
  indexof_n(_, base, search) {
    const text = operand(base, 1, 'string');
    const wanted = operand(search, 2, 'string');
    if (wanted === '') throw new BuiltinError('empty search character');
    return occurrences(Array.from(text), Array.from(wanted), (a, b) => a === b);
  },

  'strings.any_prefix_match'(_, search, base) {
    return anyStartsWithAny(oneOrMore(search, 1), oneOrMore(base, 2));
  },

  'strings.any_suffix_match'(_, search, base) {
    return anyStartsWithAny(oneOrMore(search, 1).map(reversed), oneOrMore(base, 2).map(reversed));
  },

  'strings.count'(_, base, search) {
    const text = operand(base, 1, 'string');
    const wanted = operand(search, 2, 'string');
    // Go finds the empty string before each character and at the end.
    if (wanted === '') return Array.from(text).length + 1;
    return text.split(wanted).length - 1;
  },

  'strings.split_n'(_, base, separator, limit) {
    const text = operand(base, 1, 'string');
    const by = operand(separator, 2, 'string');
    const parts = by === '' ? Array.from(text) : text.split(by);
    const wanted = Number(int64(limit!, 3));
    return wanted >= 0 ? parts.slice(0, wanted) : parts.slice(Math.max(parts.length + wanted, 0));
  },
};

function oneOrMore(value: RegoValue, position: number): string[] {
  if (typeof value === 'string') return [value];
  operand(value, position, 'string', 'set', 'array');
  return strings(value, position);
}

/** By UTF-16's units, which is good enough to compare ends with. */
function reversed(text: string): string {
  let out = '';
  for (let i = text.length - 1; i >= 0; i--) out += text[i];
  return out;
}

/**
 * Strings that share a prefix sort next to each other, right after the prefix: so each prefix is looked up
 * among the sorted ones, and not held against each of them, of which a caller may send many.
 */
function anyStartsWithAny(texts: readonly string[], prefixes: readonly string[]): boolean {
  const sorted = [...texts].sort();
  return prefixes.some((prefix) => {
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (sorted[middle]! < prefix) low = middle + 1;
      else high = middle;
    }
    return sorted[low]?.startsWith(prefix) ?? false;
  });
}
