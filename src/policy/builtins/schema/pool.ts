import { RegoObject, type RegoValue } from '../../value.js';
import { BuiltinError } from '../builtin.js';
import { arrayIndex } from '../patch/path.js';

/** The drafts that gojsonschema knows, and what it takes a schema for that names none: all of them at once. */
export type Draft = 4 | 6 | 7 | 'hybrid';

const DRAFTS: ReadonlyMap<string, Draft> = new Map([
  ['http://json-schema.org/draft-04/schema', 4],
  ['http://json-schema.org/draft-06/schema', 6],
  ['http://json-schema.org/draft-07/schema', 7],
]);

export function atLeast(draft: Draft, wanted: number): boolean {
  return draft === 'hybrid' || draft >= wanted;
}

export function draftOf(document: RegoValue): Draft | undefined {
  if (typeof document === 'boolean') return undefined;
  if (!(document instanceof RegoObject)) throw new BuiltinError('schema is invalid');
  const named = document.get('$schema');
  if (named === undefined) return undefined;
  if (typeof named !== 'string') throw new BuiltinError('$schema must be of type string');
  return DRAFTS.get(named.replace(/#$/, ''));
}

/** Where the references of one schema lead: into itself, by pointer or by an identifier in it. Never elsewhere. */
export class Pool {
  private readonly documents = new Map<string, RegoValue>();

  constructor(readonly root: RegoValue) {
    this.collect(root, '');
    this.documents.set('', root);
  }

  private collect(document: RegoValue, base: string): void {
    if (Array.isArray(document))
      for (const item of document as readonly RegoValue[]) this.collect(item, base);
    if (!(document instanceof RegoObject)) return;
    const id = document.get(document.has('id') ? 'id' : '$id');
    const own = typeof id === 'string' ? inherit(base, id) : base;
    if (typeof id === 'string') {
      if (this.documents.has(own)) throw new BuiltinError(`Reference already exists: "${own}"`);
      this.documents.set(own, document);
    }
    for (const [key, item] of document) if (key !== 'enum' && key !== 'const') this.collect(item, own);
  }

  /** @throws BuiltinError where there is nothing, or where it would have to be fetched */
  get(reference: string): RegoValue {
    const known = this.documents.get(reference);
    if (known !== undefined) return known;
    const at = reference.indexOf('#');
    const base = at < 0 ? reference : reference.slice(0, at);
    const document = this.documents.get(base) ?? this.documents.get(`${base}#`);
    if (document === undefined) throw new BuiltinError(`remote reference loading disabled: ${reference}`);
    return pointed(document, at < 0 ? '' : decoded(reference.slice(at + 1)));
  }
}

/** A reference within the scope of an identifier (RFC 3986 section 5), an empty fragment left out. */
export function inherit(base: string, reference: string): string {
  const scope = base.replace(/#.*$/s, '');
  if (reference === '' || reference === '#') return scope;
  if (reference.startsWith('#')) return scope + reference;
  try {
    return new URL(reference, scope === '' ? undefined : scope).href.replace(/#$/, '');
  } catch {
    return reference.replace(/#$/, '');
  }
}

function decoded(fragment: string): string {
  try {
    return decodeURIComponent(fragment);
  } catch {
    throw new BuiltinError('invalid URL escape in a reference');
  }
}

function pointed(document: RegoValue, pointer: string): RegoValue {
  let value = document;
  if (pointer === '') return value;
  if (!pointer.startsWith('/')) throw new BuiltinError('JSON pointer must be empty or start with a "/"');
  for (const escaped of pointer.slice(1).split('/')) {
    const name = escaped.replaceAll('~1', '/').replaceAll('~0', '~');
    const next =
      value instanceof RegoObject
        ? value.get(name)
        : Array.isArray(value)
          ? (value as readonly RegoValue[])[arrayIndex(name, value.length)]
          : undefined;
    if (next === undefined) throw new BuiltinError(`Object has no key '${name}'`);
    value = next;
  }
  return value;
}
