/**
 * JSON as RFC 8259 writes it, kept exact: a number that a double cannot hold stays what it was, a repeated
 * member name is an error (RFC 7515 section 4 asks for that of JOSE headers, RFC 7519 section 4 of claims),
 * and nesting is bounded. The reason that this is our own code: docs/decisions/0002-exact-json.md.
 */

import { define } from './define.js';

/** A number that neither a double nor a bigint of 40 digits holds exactly (`1e400`), as it was written. */
export class ExactNumber {
  constructor(readonly text: string) {}

  /** JSON.stringify has no way to write this exactly, so it must not write it at all. */
  toJSON(): never {
    throw new InexactError();
  }
}

class InexactError extends TypeError {}

/** What {@link parseExact} yields. Integers beyond 2^53 - 1 come as bigint. */
export type ExactJson =
  null | boolean | number | bigint | string | ExactNumber | ExactJson[] | { [name: string]: ExactJson };

export interface ParseOptions {
  /** Arrays and objects within each other; one more is a SyntaxError. Default 64. */
  maxDepth?: number;
  /** What becomes of a member name that repeats: an error (the default), or the one of them that counts. */
  repeated?: 'refuse' | 'first' | 'last';
}

/**
 * Parses one JSON text.
 *
 * @throws SyntaxError with the offset (UTF-16 code units) where the text stops being JSON, repeats a member
 * name, or nests too deeply. The message never quotes the text.
 */
export function parseExact(text: string, options: ParseOptions = {}): ExactJson {
  const parser = new Parser(text, options.maxDepth ?? 64, options.repeated ?? 'refuse');
  return parser.document();
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;
// eslint-disable-next-line no-control-regex -- RFC 8259 forbids exactly these in a string
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const ESCAPES: Record<string, string> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

class Parser {
  private at = 0;

  constructor(
    private readonly text: string,
    private readonly maxDepth: number,
    private readonly repeated: 'refuse' | 'first' | 'last',
  ) {}

  document(): ExactJson {
    const value = this.value(0);
    this.space();
    if (this.at !== this.text.length) this.fail('text after the value');
    return value;
  }

  private fail(what: string): never {
    throw new SyntaxError(`${what} at offset ${this.at}`);
  }

  private space(): void {
    for (;;) {
      const c = this.text.charCodeAt(this.at);
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return;
      this.at++;
    }
  }

  private value(depth: number): ExactJson {
    this.space();
    switch (this.text[this.at]) {
      case '{':
        return this.object(depth + 1);
      case '[':
        return this.array(depth + 1);
      case '"':
        return this.string();
      case 't':
        return this.word('true', true);
      case 'f':
        return this.word('false', false);
      case 'n':
        return this.word('null', null);
      default:
        return this.number();
    }
  }

  private word<T>(word: string, value: T): T {
    if (!this.text.startsWith(word, this.at)) this.fail('not a JSON value');
    this.at += word.length;
    return value;
  }

  private number(): number | bigint | ExactNumber {
    NUMBER.lastIndex = this.at;
    const match = NUMBER.exec(this.text);
    if (match === null) this.fail('not a JSON value');
    this.at = NUMBER.lastIndex;
    return exactNumber(match[0], match[1] === undefined && match[2] === undefined);
  }

  private string(): string {
    this.at++;
    let out = '';
    for (;;) {
      PLAIN.lastIndex = this.at;
      const plain = PLAIN.exec(this.text)?.[0] ?? '';
      this.at += plain.length;
      out += plain;
      const c = this.text[this.at];
      if (c === '"') {
        this.at++;
        return out;
      }
      if (c !== '\\') this.fail(c === undefined ? 'unterminated string' : 'control character in a string');
      out += this.escape();
    }
  }

  private escape(): string {
    const c = this.text[this.at + 1] ?? '';
    if (c === 'u') {
      const hex = this.text.slice(this.at + 2, this.at + 6);
      if (!/^[0-9a-fA-F]{4}$/.test(hex)) this.fail('bad \\u escape');
      this.at += 6;
      return String.fromCharCode(Number.parseInt(hex, 16));
    }
    const plain = ESCAPES[c];
    if (plain === undefined) this.fail('bad escape');
    this.at += 2;
    return plain;
  }

  private array(depth: number): ExactJson[] {
    if (depth > this.maxDepth) this.fail(`nested deeper than ${this.maxDepth}`);
    this.at++;
    const out: ExactJson[] = [];
    this.space();
    if (this.take(']')) return out;
    for (;;) {
      out.push(this.value(depth));
      this.space();
      if (this.take(']')) return out;
      if (!this.take(',')) this.fail('expected , or ]');
    }
  }

  private object(depth: number): { [name: string]: ExactJson } {
    if (depth > this.maxDepth) this.fail(`nested deeper than ${this.maxDepth}`);
    this.at++;
    const out: { [name: string]: ExactJson } = {};
    this.space();
    if (this.take('}')) return out;
    for (;;) {
      this.space();
      if (this.text[this.at] !== '"') this.fail('expected a member name');
      const name = this.string();
      const repeats = Object.hasOwn(out, name);
      if (repeats && this.repeated === 'refuse') this.fail('repeated member name');
      this.space();
      if (!this.take(':')) this.fail('expected :');
      const value = this.value(depth);
      if (!repeats || this.repeated === 'last') define(out, name, value);
      this.space();
      if (this.take('}')) return out;
      if (!this.take(',')) this.fail('expected , or }');
    }
  }

  private take(c: string): boolean {
    if (this.text[this.at] !== c) return false;
    this.at++;
    return true;
  }
}

/** The number that a text of JSON stands for; `integer` says that it has neither fraction nor exponent. */
export function exactNumber(text: string, integer: boolean): number | bigint | ExactNumber {
  const number = Number(text);
  if (integer && Number.isSafeInteger(number)) return number;
  // BigInt of a long text takes more than linear time, and the text may be a client's.
  if (integer && text.length <= 40) return BigInt(text);
  if (integer || !Number.isFinite(number)) return new ExactNumber(text);
  // Up to 15 significant digits go through a double and back unharmed (IEEE 754 binary64).
  const digits = text
    .replace(/[eE].*$/, '')
    .replace(/[-.]/g, '')
    .replace(/^0+/, '').length;
  return digits <= 15 && (number !== 0 || digits === 0) ? number : new ExactNumber(text);
}

/**
 * Writes a value as JSON, bigint and {@link ExactNumber} included. Members that are `undefined` are left
 * out, as JSON.stringify does.
 *
 * @throws TypeError for what JSON cannot say (a function, a symbol, NaN, an infinity).
 */
export function stringifyExact(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    // JSON.stringify refuses bigint and ExactNumber with a TypeError; a cycle too, which write() then meets.
    if (!(error instanceof TypeError)) throw error;
    return write(value, 0);
  }
}

function write(value: unknown, depth: number): string {
  if (depth > 1000) throw new TypeError('nested too deeply to be written as JSON');
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof ExactNumber) return value.text;
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new TypeError('JSON has no NaN and no infinity');
    return String(value);
  }
  if (Array.isArray(value)) return `[${value.map((item) => write(item ?? null, depth + 1)).join(',')}]`;
  if (typeof value !== 'object') throw new TypeError(`JSON has no ${typeof value}`);
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${write(member, depth + 1)}`).join(',')}}`;
}
