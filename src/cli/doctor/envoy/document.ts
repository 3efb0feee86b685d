import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseAllDocuments,
  type Document,
  type Node,
  type Scalar,
} from 'yaml';
import { formatKey } from '../../../config/problem.js';
import { nestsTooDeeply } from '../../../config/yaml-depth.js';
import type { Place } from '../finding.js';

/** Lists and mappings in each other: a dump of Envoy's has some forty. */
const MAX_DEPTH = 200;

interface Source {
  readonly file: string;
  readonly lines: LineCounter;
  readonly document: Document;
}

/**
 * A value in a YAML or JSON file of Envoy's, which knows where it stands. Fields are found by their proto names, in
 * either form that JSON has for them (`include_peer_certificate`, `includePeerCertificate`); what is not there is a
 * value too, with the place of what should hold it.
 */
export class EnvoyNode {
  private constructor(
    private readonly source: Source,
    private readonly node: Node | undefined,
    private readonly path: readonly PropertyKey[],
    private readonly offset: number,
  ) {}

  /** Every document of a text, or why it is none. */
  static read(
    file: string,
    text: string,
  ): readonly EnvoyNode[] | { readonly wrong: string; readonly line?: number } {
    // The parser is recursive.
    if (nestsTooDeeply(text, MAX_DEPTH)) return { wrong: `it nests more than ${MAX_DEPTH} deep` };
    const lines = new LineCounter();
    const documents = parseAllDocuments(text, {
      lineCounter: lines,
      schema: 'core',
      prettyErrors: false,
      logLevel: 'silent',
    });
    if (!Array.isArray(documents)) return { wrong: 'it is empty' };
    const nodes: EnvoyNode[] = [];
    for (const document of documents) {
      const [error] = document.errors;
      if (error !== undefined) return { wrong: error.message, line: lines.linePos(error.pos[0]).line };
      const contents = document.contents as Node | null;
      if (contents === null) continue;
      nodes.push(new EnvoyNode({ file, lines, document }, contents, [], contents.range?.[0] ?? 0));
    }
    return nodes.length > 0 ? nodes : { wrong: 'it is empty' };
  }

  get exists(): boolean {
    return this.node !== undefined && !(isScalar(this.node) && this.node.value === null);
  }

  get place(): Place {
    return {
      file: this.source.file,
      line: this.source.lines.linePos(this.offset).line,
      key: formatKey(this.path),
    };
  }

  /** Walks down by proto field names; a number is an entry of a list. */
  get(...names: readonly (string | number)[]): EnvoyNode {
    return names.reduce<EnvoyNode>((at, name) => at.step(name), this);
  }

  /** A field whose name is taken as it stands. */
  member(name: string): EnvoyNode {
    const found = this.pairs().find(([key]) => key === name);
    return found?.[1] ?? this.child(name, undefined, this.offset);
  }

  items(): readonly EnvoyNode[] {
    if (!isSeq<Node>(this.node)) return [];
    return this.node.items.map((item, i) => this.child(i, item, item.range?.[0] ?? this.offset));
  }

  pairs(): readonly (readonly [key: string, value: EnvoyNode])[] {
    if (!isMap<Scalar, Node>(this.node)) return [];
    return this.node.items.map(({ key, value }) => {
      const name = String(key.value);
      return [name, this.child(name, value ?? undefined, key.range?.[0] ?? this.offset)] as const;
    });
  }

  text(): string | undefined {
    const value = this.scalar();
    return value === undefined ? undefined : String(value);
  }

  number(): number | undefined {
    const value = this.scalar();
    const number = typeof value === 'string' && value !== '' ? Number(value) : value;
    return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
  }

  /** A bool, or a BoolValue, which JSON writes alike. */
  isTrue(): boolean {
    const value = this.scalar();
    return value === true || value === 'true';
  }

  /**
   * An enum, by name or by number.
   *
   * @param names in the order of their numbers; the first is what it is where nothing is written
   */
  oneOf<Name extends string>(names: readonly Name[]): Name | undefined {
    const value = this.scalar();
    if (value === undefined) return this.exists ? undefined : names[0];
    return typeof value === 'number' ? names[value] : names.find((name) => name === value);
  }

  /** A google.protobuf.Duration as JSON writes it: milliseconds. */
  milliseconds(): number | undefined {
    const match = /^(-?\d+(?:\.\d+)?)s$/.exec(this.text() ?? '');
    if (match) return Number(match[1]) * 1000;
    const seconds = this.get('seconds').number();
    const nanos = this.get('nanos').number();
    return seconds === undefined && nanos === undefined
      ? undefined
      : (seconds ?? 0) * 1000 + (nanos ?? 0) / 1e6;
  }

  /** What is in a google.protobuf.Any: its type without the host before it, and xds.type.v3.TypedStruct seen through. */
  get type(): string {
    const wrapped = this.member('@type').text() ?? '';
    const type = /(xds\.type\.v3|udpa\.type\.v1)\.TypedStruct$/.test(wrapped)
      ? (this.get('type_url').text() ?? '')
      : wrapped;
    return type.slice(type.lastIndexOf('/') + 1);
  }

  /** The message itself of a google.protobuf.Any. */
  get message(): EnvoyNode {
    return /TypedStruct$/.test(this.member('@type').text() ?? '') ? this.get('value') : this;
  }

  /** Whether it is the same place as another one. */
  is(other: EnvoyNode): boolean {
    return this.node !== undefined && this.node === other.node;
  }

  private scalar(): string | number | boolean | undefined {
    if (!isScalar(this.node)) return undefined;
    const { value } = this.node;
    return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
      ? value
      : undefined;
  }

  private step(name: string | number): EnvoyNode {
    if (typeof name === 'number') return this.items()[name] ?? this.child(name, undefined, this.offset);
    const camel = name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
    const found = this.pairs().find(([key]) => key === name || key === camel);
    return found?.[1] ?? this.child(name, undefined, this.offset);
  }

  private child(step: PropertyKey, node: Node | undefined, offset: number): EnvoyNode {
    const real = isAlias(node) ? (node.resolve(this.source.document) as Node | undefined) : node;
    return new EnvoyNode(this.source, real, [...this.path, step], offset);
  }
}
