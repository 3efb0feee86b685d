import type { RegoValue } from '../value.js';
import { type Builtins, BuiltinError, operand, strings } from './builtin.js';
import { int64 } from './int64.js';
import { replaceAll } from './replace.js';
import { occurrences, positions } from './search.js';

/** indexof, indexof_n, replace, strings.*, but for the template */
export const STRINGS: Builtins = {
  indexof(_, base, search) {
    const text = operand(base, 1, 'string');
    const wanted = operand(search, 2, 'string');
    if (wanted === '') throw new BuiltinError('empty search character');
    const [at] = positions(text, wanted, 1);
    return at === undefined ? -1 : characters(text, at);
  },

  indexof_n(_, base, search) {
    const text = operand(base, 1, 'string');
    const wanted = operand(search, 2, 'string');
    if (wanted === '') throw new BuiltinError('empty search character');
    return occurrences(Array.from(text), Array.from(wanted), (a, b) => a === b);
  },

  replace: (_, base, old, replacement) =>
    replaceAll(operand(base!, 1, 'string'), operand(old!, 2, 'string'), operand(replacement!, 3, 'string')),

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
    return positions(text, wanted).length;
  },

  'strings.split_n'(_, base, separator, limit) {
    const text = operand(base, 1, 'string');
    const by = operand(separator, 2, 'string');
    const parts = by === '' ? Array.from(text) : split(text, by);
    const wanted = Number(int64(limit!, 3));
    return wanted >= 0 ? parts.slice(0, wanted) : parts.slice(Math.max(parts.length + wanted, 0));
  },
};

/** Characters before a place, which is in UTF-16 code units. */
function characters(text: string, end: number): number {
  let count = 0;
  for (let at = 0; at < end; count++) at += text.codePointAt(at)! > 0xffff ? 2 : 1;
  return count;
}

function split(text: string, by: string): string[] {
  const parts: string[] = [];
  let end = 0;
  for (const at of positions(text, by)) {
    parts.push(text.slice(end, at));
    end = at + by.length;
  }
  return [...parts, text.slice(end)];
}

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
