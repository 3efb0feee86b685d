import { isRefusal } from '../errors/refusal.js';
import { malformedXfcc, type XfccElement, type XfccMalformed } from './xfcc-element.js';

/** Keys that an element has once at most; By, URI and DNS come once for each name. */
const SINGLE = ['hash', 'cert', 'chain', 'subject', 'issuer'];

const KEY = /([A-Za-z]+)=/y;
// Neither class holds what may follow it, so there is one way only to match, and time stays linear.
const QUOTED = /"([^"\\]*(?:\\[^][^"\\]*)*)"/y;
const PLAIN = /[^",;]*/y;

/**
 * Reads the text form: elements by comma, pairs by semicolon, a value in quotes where Envoy quotes it. After
 * a closing quote only a separator may come: a quote that a client leaves open therefore cannot swallow the
 * beginning of what the next hop appends.
 */
export function parseXfccText(text: string): XfccElement[] | XfccMalformed {
  const elements: XfccElement[] = [];
  const scanner = new Scanner(text);
  do {
    const element = readElement(scanner);
    if (isRefusal(element)) return element;
    elements.push(element);
  } while (scanner.take(','));
  return scanner.done ? elements : scanner.malformed('a separator is missing');
}

function readElement(scanner: Scanner): XfccElement | XfccMalformed {
  const values = new Map<string, string[]>();
  scanner.skipSpace();
  do {
    const key = scanner.match(KEY)?.toLowerCase();
    if (key === undefined) return scanner.malformed('a key is missing');
    const value = scanner.at('"') ? scanner.match(QUOTED) : scanner.match(PLAIN);
    if (value === undefined) return scanner.malformed('a quoted value has no end');
    const before = values.get(key);
    if (before && SINGLE.includes(key)) return scanner.malformed(`a second ${key} in one element`);
    if (before) before.push(value);
    else values.set(key, [value]);
  } while (scanner.take(';'));
  scanner.skipSpace();
  const hash = values.get('hash')?.[0];
  const cert = values.get('cert')?.[0];
  return {
    ...(hash !== undefined && { hash }),
    ...(cert !== undefined && { cert }),
    chain: values.get('chain') ?? [],
    uris: values.get('uri') ?? [],
  };
}

class Scanner {
  private offset = 0;

  constructor(private readonly text: string) {}

  get done(): boolean {
    return this.offset === this.text.length;
  }

  at(character: string): boolean {
    return this.text[this.offset] === character;
  }

  take(character: string): boolean {
    if (!this.at(character)) return false;
    this.offset++;
    return true;
  }

  /** The expression's group where it has one, with its escapes undone; otherwise all that it matched. */
  match(expression: RegExp): string | undefined {
    expression.lastIndex = this.offset;
    const found = expression.exec(this.text);
    if (found === null) return undefined;
    this.offset = expression.lastIndex;
    return found[1] === undefined ? found[0] : found[1].replace(/\\([^])/g, '$1');
  }

  skipSpace(): void {
    while (this.at(' ') || this.at('\t')) this.offset++;
  }

  malformed(what: string): XfccMalformed {
    return malformedXfcc(`${what} at offset ${this.offset}`);
  }
}
