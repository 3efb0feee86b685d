import { createHash } from 'node:crypto';
import { isYaml, readYaml } from './bundle-data.js';
import { ExactNumber, type ExactJson } from '../json/exact.js';

/**
 * OPA's names for digests, and Node's. MD5 and SHA-1, which OPA knows too, are left out: of two files with one
 * digest, one could be signed and the other served.
 */
const DIGESTS: { readonly [name: string]: string } = {
  'SHA-224': 'sha224',
  'SHA-256': 'sha256',
  'SHA-384': 'sha384',
  'SHA-512': 'sha512',
  'SHA-512-224': 'sha512-224',
  'SHA-512-256': 'sha512-256',
};

/** Objects and lists within each other in a file that is hashed by its content. */
const DEEPEST = 256;

export function isDigest(name: string): boolean {
  return Object.hasOwn(DIGESTS, name);
}

/**
 * The digest of one file as OPA's bundle signatures have it: of its bytes, but of the content in canonical form
 * where that is JSON or YAML (`data.json`, `data.yaml`, `.manifest`), so that white space and order don't count.
 *
 * @returns lower-case hex
 * @throws SyntaxError, RangeError or a YAML error for content that is not what the name says
 */
export function fileDigest(path: string, content: Uint8Array, digest = 'SHA-256'): string {
  const hash = createHash(DIGESTS[digest]!);
  const file = path.slice(path.lastIndexOf('/') + 1);
  if (file === 'data.json' || file === '.manifest') hash.update(canonicalJson(text(content)));
  else if (isYaml(file)) hash.update(canonicalValue(readYaml(text(content)), 0));
  else hash.update(content);
  return hash.digest('hex');
}

function text(content: Uint8Array): string {
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content);
}

/**
 * JSON without white space and with sorted members. Numbers keep the text that they are written with, as they do in
 * OPA: `1.0` is not `1`.
 */
export function canonicalJson(source: string): string {
  const reader = new Canonical(source);
  return reader.document();
}

const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
// eslint-disable-next-line no-control-regex -- RFC 8259 forbids exactly these in a string
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const WORD = /true|false|null/y;

class Canonical {
  private at = 0;
  constructor(private readonly source: string) {}

  document(): string {
    const value = this.value(0);
    this.match(SPACE);
    if (this.at !== this.source.length) this.fail();
    return value;
  }

  private value(depth: number): string {
    if (depth > DEEPEST) throw new RangeError('nested too deeply');
    this.match(SPACE);
    if (this.take('{')) return this.object(depth);
    if (this.take('[')) return this.list(depth);
    if (this.source[this.at] === '"') return canonicalString(this.string());
    return this.match(WORD) ?? this.match(NUMBER) ?? this.fail();
  }

  private object(depth: number): string {
    const members = new Map<string, string>();
    this.match(SPACE);
    if (this.take('}')) return '{}';
    do {
      this.match(SPACE);
      const name = this.string();
      // One of the two would be signed, and the other read.
      if (members.has(name)) throw new SyntaxError('a member name is repeated');
      this.match(SPACE);
      if (!this.take(':')) this.fail();
      members.set(name, this.value(depth + 1));
      this.match(SPACE);
    } while (this.take(','));
    if (!this.take('}')) this.fail();
    return sortedObject(members);
  }

  private list(depth: number): string {
    const items: string[] = [];
    this.match(SPACE);
    if (this.take(']')) return '[]';
    do {
      items.push(this.value(depth + 1));
      this.match(SPACE);
    } while (this.take(','));
    if (!this.take(']')) this.fail();
    return `[${items.join(',')}]`;
  }

  /** Piece by piece: one pattern for a whole string of megabytes would exhaust the stack. */
  private string(): string {
    const start = this.at;
    if (!this.take('"')) this.fail();
    do this.match(PLAIN);
    while (this.match(ESCAPE) !== undefined);
    if (!this.take('"')) this.fail();
    return JSON.parse(this.source.slice(start, this.at)) as string;
  }

  private match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.source)?.[0];
    if (found !== undefined) this.at = pattern.lastIndex;
    return found;
  }

  private take(sign: string): boolean {
    if (this.source[this.at] !== sign) return false;
    this.at++;
    return true;
  }

  private fail(): never {
    throw new SyntaxError(`not JSON at offset ${this.at}`);
  }
}

function canonicalValue(value: ExactJson, depth: number): string {
  if (depth > DEEPEST) throw new RangeError('nested too deeply');
  if (typeof value === 'string') return canonicalString(value);
  if (typeof value !== 'object' || value === null) return String(value);
  if (value instanceof ExactNumber) return value.text;
  if (Array.isArray(value)) return `[${value.map((item) => canonicalValue(item, depth + 1)).join(',')}]`;
  return sortedObject(
    new Map(Object.entries(value).map(([name, member]) => [name, canonicalValue(member, depth + 1)])),
  );
}

/** Members in the order of the UTF-8 of their names, as Go sorts strings. */
function sortedObject(members: ReadonlyMap<string, string>): string {
  const sorted = [...members]
    .map(([name, value]) => [Buffer.from(name, 'utf8'), name, value] as const)
    .sort(([a], [b]) => Buffer.compare(a, b));
  return `{${sorted.map(([, name, value]) => `${canonicalString(name)}:${value}`).join(',')}}`;
}

/** As Go's encoding/json writes it: like JSON.stringify, but for two line separators and lone surrogates. */
function canonicalString(value: string): string {
  return JSON.stringify(value.toWellFormed()).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');
}
