import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  parseAllDocuments,
  type Scalar,
  type YAMLMap,
} from 'yaml';
import { RegoObject, type RegoValue } from '../../value.js';
import { BuiltinError } from '../builtin.js';
import { formatFloat } from '../go/floats.js';
import { LimitError } from '../limit.js';
import { scalarValue, tagged } from './resolve.js';

/**
 * The first document of a YAML stream, all of which has to parse, as OPA reads it: by go-yaml v3 with the core
 * schema, timestamps left as strings, and the last of repeated keys counting.
 *
 * @throws BuiltinError for what is no YAML, and for what JSON cannot say
 */
export function readYaml(text: string): RegoValue {
  if (FORBIDDEN.test(text.replace(/^\ufeff/, '')))
    throw new BuiltinError('yaml: control characters are not allowed');
  try {
    return firstDocument(text);
  } catch (error) {
    if (error instanceof RangeError) throw new LimitError('yaml: nested too deeply');
    throw error;
  }
}

// eslint-disable-next-line no-control-regex -- what the YAML specification leaves out of c-printable
const FORBIDDEN = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufeff\ufffe\uffff]/;

function firstDocument(text: string): RegoValue {
  const documents = parseAllDocuments(text, {
    schema: 'failsafe',
    resolveKnownTags: false,
    uniqueKeys: false,
    merge: false,
    prettyErrors: false,
    logLevel: 'silent',
  });
  if (!Array.isArray(documents)) return null;
  for (const document of documents) {
    const problem = document.errors[0] ?? document.warnings.find(({ code }) => code === 'BAD_DIRECTIVE');
    if (problem?.code === 'RESOURCE_EXHAUSTION') throw new LimitError('yaml: nested too deeply');
    if (problem !== undefined) throw new BuiltinError(`yaml: ${problem.message}`);
    // go-yaml reads YAML 1.2 and takes a document that says so for another's.
    const { explicit, version } = document.directives.yaml;
    if (explicit && version !== '1.1') throw new BuiltinError('yaml: found incompatible YAML document');
  }
  const [first] = documents;
  if (first === undefined) return null;
  return new Decoder(first).decode(first.contents);
}

class Decoder {
  private readonly open = new Set<Node>();
  private decoded = 0;
  private byAlias = 0;
  private aliases = 0;

  constructor(private readonly document: Document.Parsed) {}

  decode(node: Node | null | undefined): RegoValue {
    this.count();
    if (node === null || node === undefined) return null;
    if (isAlias(node)) return this.behind(node, (target) => this.decode(target));
    if (isMap(node)) return this.map(node);
    if (isSeq(node)) return node.items.map((item) => this.decode(item as Node | null));
    if (isScalar(node)) return scalarValue(scalarOf(node));
    throw new BuiltinError('yaml: unknown node');
  }

  /** go-yaml's own bound on documents that are mostly aliases. */
  private count(): void {
    this.decoded += 1;
    if (this.aliases > 0) this.byAlias += 1;
    if (this.byAlias <= 100 || this.decoded <= 1000) return;
    if (this.byAlias / this.decoded > allowedRatio(this.decoded))
      throw new BuiltinError('yaml: document contains excessive aliasing');
  }

  private behind<T>(alias: Alias, then: (target: Node) => T): T {
    const target = alias.resolve(this.document);
    if (target === undefined) throw new BuiltinError('yaml: unknown anchor referenced');
    if (this.open.has(target)) throw new BuiltinError('yaml: anchor value contains itself');
    this.open.add(target);
    this.aliases += 1;
    try {
      return then(target);
    } finally {
      this.open.delete(target);
      this.aliases -= 1;
    }
  }

  private map(node: YAMLMap): RegoObject {
    const wasOpen = this.open.has(node);
    this.open.add(node);
    const members = this.members(node);
    if (!wasOpen) this.open.delete(node);
    return new RegoObject(members);
  }

  private members(node: YAMLMap): Map<string, RegoValue> {
    const own = new Map<string, Node | null>();
    const merged: (Node | null)[] = [];
    for (const pair of node.items as Pair<Node, Node | null>[]) {
      if (isMerge(pair.key))
        merged.push(...(isSeq(pair.value) ? (pair.value.items as Node[]) : [pair.value]));
      else own.set(this.key(pair.key), pair.value);
    }
    const members = new Map(Array.from(own, ([name, value]) => [name, this.decode(value)] as const));
    // What comes first counts, and what the map says itself comes before all that is merged into it.
    for (const other of merged)
      for (const [name, value] of this.mergeable(other)) if (!members.has(name)) members.set(name, value);
    return members;
  }

  private mergeable(node: Node | null): Map<string, RegoValue> {
    this.count();
    if (isAlias(node)) return this.behind(node, (target) => this.mergeable(target));
    if (!isMap(node)) throw new BuiltinError('yaml: map merge requires map or sequence of maps as the value');
    return this.members(node);
  }

  private key(node: Node | null): string {
    this.count();
    if (isAlias(node)) return this.behind(node, (target) => this.key(target));
    if (!isScalar(node)) throw new BuiltinError('yaml: invalid map key');
    const scalar = scalarOf(node);
    switch (scalar.kind) {
      case 'null':
        throw new BuiltinError('unsupported map key of type: <nil>');
      case 'float':
        return floatKey(scalar.value);
      default:
        return String(scalar.value);
    }
  }
}

function scalarOf(node: Scalar): ReturnType<typeof tagged> {
  return tagged(String(node.value ?? ''), node.type === 'PLAIN' || node.type === undefined, node.tag);
}

function isMerge(node: Node | null): boolean {
  return isScalar(node) && node.value === '<<' && node.type === 'PLAIN' && node.tag === undefined;
}

function allowedRatio(decoded: number): number {
  const [low, high] = [400_000, 4_000_000];
  if (decoded <= low) return 0.99;
  if (decoded >= high) return 0.1;
  return 0.99 - 0.89 * ((decoded - low) / (high - low));
}

/** In as many digits as a float of 32 bits needs, as go-yaml has it. */
function floatKey(value: number): string {
  if (Number.isNaN(value)) return '.nan';
  if (!Number.isFinite(Math.fround(value))) return value < 0 ? '-.inf' : '.inf';
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === Math.fround(value)) return formatFloat(short, 'g', -1);
  }
  return formatFloat(Number(Math.fround(value).toPrecision(9)), 'g', -1);
}
