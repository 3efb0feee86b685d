import { ExactNumber, exactNumber } from '../json/exact.js';
import { RegoObject, RegoSet, type RegoValue } from './value.js';

/**
 * The text by which values cross between Wasm and its host: `opa_value_dump` writes it and `opa_value_parse`
 * reads it. It is JSON with two things more, sets (`{1, 2}`, empty `set()`) and keys that are not strings.
 */

/** Of values within each other: more than Wasm's own stack takes. */
const DEEPEST = 10_000;

/**
 * @throws SyntaxError with the offset, which no text that Wasm wrote gives
 */
export function parseValue(text: string): RegoValue {
  const reader = new Reader(text);
  return reader.whole();
}

/**
 * Half a surrogate pair becomes U+FFFD, as in UTF-8: Wasm gives up on one.
 *
 * @throws TypeError for NaN and the infinities, which Rego does not have
 */
export function formatValue(value: RegoValue): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value.toWellFormed());
    case 'number':
      if (!Number.isFinite(value)) throw new TypeError('Rego has no NaN and no infinity');
      return String(value);
    case 'bigint':
    case 'boolean':
      return String(value);
  }
  if (value === null) return 'null';
  if (value instanceof ExactNumber) return value.text;
  if (value instanceof RegoSet) return value.size === 0 ? 'set()' : `{${list(value)}}`;
  if (value instanceof RegoObject) {
    let members = '';
    for (const [key, item] of value)
      members += `${members === '' ? '' : ', '}${formatValue(key)}: ${formatValue(item)}`;
    return `{${members}}`;
  }
  return `[${list(value)}]`;
}

function list(values: Iterable<RegoValue>): string {
  let items = '';
  for (const value of values) items += `${items === '' ? '' : ', '}${formatValue(value)}`;
  return items;
}

/** Rego lets a literal begin with its point, and Wasm hands it on like that. */
const NUMBER = /(-?)([0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;

const EMPTY_SET = new RegoSet([]);
const [OPENING_BRACE, OPENING_BRACKET, QUOTE, BACKSLASH] = [0x7b, 0x5b, 0x22, 0x5c];
const [LETTER_T, LETTER_F, LETTER_N, LETTER_S] = [0x74, 0x66, 0x6e, 0x73];

class Reader {
  private at = 0;

  constructor(private readonly text: string) {}

  whole(): RegoValue {
    const value = this.value(0);
    this.space();
    if (this.at !== this.text.length) this.fail();
    return value;
  }

  private value(depth: number): RegoValue {
    if (depth > DEEPEST) this.fail();
    this.space();
    switch (this.text.charCodeAt(this.at)) {
      case OPENING_BRACE:
        return this.braces(depth + 1);
      case OPENING_BRACKET:
        this.at++;
        return this.items(']', depth + 1);
      case QUOTE:
        return this.string();
      case LETTER_T:
        return this.word('true', true);
      case LETTER_F:
        return this.word('false', false);
      case LETTER_N:
        return this.word('null', null);
      case LETTER_S:
        return this.word('set()', EMPTY_SET);
      default:
        return this.number();
    }
  }

  private fail(): never {
    throw new SyntaxError(`not a value of Rego at offset ${this.at}`);
  }

  private space(): void {
    for (;;) {
      const c = this.text.charCodeAt(this.at);
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return;
      this.at++;
    }
  }

  private take(c: string): boolean {
    this.space();
    if (this.text[this.at] !== c) return false;
    this.at++;
    return true;
  }

  private word<T>(word: string, value: T): T {
    if (!this.text.startsWith(word, this.at)) this.fail();
    this.at += word.length;
    return value;
  }

  private number(): RegoValue {
    NUMBER.lastIndex = this.at;
    const match = NUMBER.exec(this.text);
    if (match === null || !(match[2] || match[3])) this.fail();
    this.at = NUMBER.lastIndex;
    const [, sign = '', whole = '', fraction = '', exponent = ''] = match;
    const text = `${sign}${whole || '0'}${fraction}${exponent}`;
    const number = exactNumber(text, fraction === '' && exponent === '');
    // `1.0`, `1e3` and `1.50` are equal to 1, 1000 and 1.5, but sprintf and json.marshal tell them apart.
    return typeof number === 'number' && String(number) !== text ? new ExactNumber(text) : number;
  }

  private string(): string {
    const start = this.at + 1;
    let end = this.text.indexOf('"', start);
    while (end !== -1 && this.escaped(end)) end = this.text.indexOf('"', end + 1);
    if (end === -1) this.fail();
    this.at = end + 1;
    const inside = this.text.slice(start, end);
    return inside.includes('\\') ? (JSON.parse(`"${inside}"`) as string) : inside;
  }

  /** Whether an odd number of backslashes stands before. */
  private escaped(at: number): boolean {
    let before = at;
    while (this.text.charCodeAt(before - 1) === BACKSLASH) before--;
    return (at - before) % 2 === 1;
  }

  /** What comes before `end`, with commas between; the opening bracket has been taken. */
  private items(end: string, depth: number): RegoValue[] {
    const items: RegoValue[] = [];
    if (this.take(end)) return items;
    do items.push(this.value(depth));
    while (this.take(','));
    if (!this.take(end)) this.fail();
    return items;
  }

  /** An object or a set: the first colon tells. `{}` is the empty object. */
  private braces(depth: number): RegoObject | RegoSet {
    this.at++;
    if (this.take('}')) return new RegoObject([]);
    const first = this.value(depth);
    if (!this.take(':')) return new RegoSet(this.take('}') ? [first] : [first, ...this.rest(depth)]);
    const entries: [RegoValue, RegoValue][] = [[first, this.value(depth)]];
    while (this.take(',')) {
      const key = this.value(depth);
      if (!this.take(':')) this.fail();
      entries.push([key, this.value(depth)]);
    }
    if (!this.take('}')) this.fail();
    return new RegoObject(entries);
  }

  private rest(depth: number): RegoValue[] {
    if (!this.take(',')) this.fail();
    return this.items('}', depth);
  }
}
