import { BuiltinError } from '../builtin.js';

/** A template's text taken apart: what is copied as it is, and the words of the actions between braces. */
export type Token =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'open' | 'close' | 'space' | 'pipe' | '(' | ')' | ',' | ':=' | '=' | 'dot' }
  | { readonly kind: 'word' | 'field' | 'variable'; readonly text: string }
  | { readonly kind: 'string' | 'number' | 'character'; readonly text: string };

const TOKENS: readonly (readonly [kind: Token['kind'], pattern: RegExp])[] = [
  ['space', /[ \t\r\n]+/y],
  [':=', /:=/y],
  ['=', /=/y],
  ['pipe', /\|/y],
  ['(', /\(/y],
  [')', /\)/y],
  [',', /,/y],
  ['string', /"(?:[^"\\\n]|\\[^\n])*"|`[^`]*`/y],
  ['character', /'(?:[^'\\\n]|\\[^\n])+'/y],
  // Of which `1+2i` is one too.
  ['number', /[+-]?(?:[0-9]|\.[0-9])(?:[eEpP][+-]|[0-9A-Za-z_.])*(?:[+-][0-9A-Za-z_.]*i)?/y],
  ['field', /\.[\p{L}_][\p{L}\p{Nd}_]*/uy],
  ['variable', /\$(?:[\p{L}_][\p{L}\p{Nd}_]*)?/uy],
  ['dot', /\./y],
  ['word', /[\p{L}_][\p{L}\p{Nd}_]*/uy],
];

/**
 * @throws BuiltinError for an action that does not end, and for what is no word of one
 */
export function tokens(source: string): Token[] {
  const found: Token[] = [];
  let at = 0;
  let trim = false;
  for (;;) {
    const open = source.indexOf('{{', at);
    const trimsBefore = open >= 0 && source[open + 2] === '-' && /[ \t\r\n]/.test(source[open + 3] ?? '');
    let text = source.slice(at, open < 0 ? undefined : open);
    if (trim) text = text.replace(/^[ \t\r\n]+/, '');
    if (trimsBefore) text = trimmedEnd(text);
    if (text !== '') found.push({ kind: 'text', text });
    if (open < 0) return found;
    const inside = open + (trimsBefore ? 3 : 2);
    [at, trim] = action(source, inside, found);
  }
}

/** As `/[ \t\r\n]+$/` would, whose time is quadratic. */
function trimmedEnd(text: string): string {
  let end = text.length;
  while (end > 0 && ' \t\r\n'.includes(text[end - 1]!)) end -= 1;
  return text.slice(0, end);
}

/** @returns where the text goes on, and whether its leading space is cut off */
function action(source: string, from: number, found: Token[]): [at: number, trim: boolean] {
  const commented = comment(source, from);
  if (commented !== undefined) return commented;
  found.push({ kind: 'open' });
  let at = from;
  let depth = 0;
  for (;;) {
    const close = closing(source, at);
    if (close !== undefined) {
      if (depth > 0) throw new BuiltinError('template: unclosed left paren');
      found.push({ kind: 'close' });
      return close;
    }
    if (at >= source.length) throw new BuiltinError('template: unclosed action');
    const token = next(source, at);
    at += token.length;
    depth += token.kind === '(' ? 1 : token.kind === ')' ? -1 : 0;
    if (depth < 0) throw new BuiltinError('template: unexpected right paren');
    found.push({ kind: token.kind, text: source.slice(at - token.length, at) } as Token);
  }
}

/** The end of an action, with a trim marker or without. */
function closing(source: string, at: number): [at: number, trim: boolean] | undefined {
  if (source.startsWith('}}', at)) return [at + 2, false];
  if (/[ \t\r\n]/.test(source[at] ?? '') && source.startsWith('-}}', at + 1)) return [at + 4, true];
  return undefined;
}

function comment(source: string, from: number): [at: number, trim: boolean] | undefined {
  // One space belongs to the trim marker; more than one is no comment to Go.
  const start = source[from - 1] === '-' ? from + 1 : from;
  if (!source.startsWith('/*', start)) return undefined;
  const end = source.indexOf('*/', start + 2);
  if (end < 0) throw new BuiltinError('template: unclosed comment');
  const close = closing(source, end + 2);
  if (close === undefined) throw new BuiltinError('template: comment ends before closing delimiter');
  return close;
}

function next(source: string, at: number): { kind: Token['kind']; length: number } {
  for (const [kind, pattern] of TOKENS) {
    pattern.lastIndex = at;
    const match = pattern.exec(source);
    if (match !== null) {
      let { length } = match[0];
      // A space that stands before a trim marker is the marker's.
      if (kind === 'space' && length > 1 && source.startsWith('-}}', at + length)) length -= 1;
      return { kind, length };
    }
  }
  throw new BuiltinError('template: unexpected character in command');
}
