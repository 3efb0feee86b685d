import { ExactNumber } from '../../../json/exact.js';
import { compareNumbers, toInteger } from '../../number.js';
import { RegoObject, type RegoNumber, type RegoValue } from '../../value.js';
import { BuiltinError } from '../builtin.js';
import { compilePattern } from '../pattern.js';
import { emptyNode, type SchemaNode } from './node.js';
import { plainJson } from './plain-json.js';
import { atLeast, type Draft, draftOf, inherit, Pool } from './pool.js';

/**
 * Reads a JSON Schema of draft 4, 6 or 7 as gojsonschema does, whose words the errors are.
 *
 * @throws BuiltinError for what is no schema
 */
export function compileSchema(document: RegoValue): SchemaNode {
  const draft = draftOf(document) ?? 'hybrid';
  return new Compiler(new Pool(document), draft).root();
}

type Sub = (value: RegoValue) => SchemaNode;

class Compiler {
  private readonly references = new Map<string, SchemaNode>();

  constructor(
    private readonly pool: Pool,
    private readonly draft: Draft,
  ) {}

  root(): SchemaNode {
    return this.schema(this.pool.root, '');
  }

  /** @param base the identifier in whose scope references are */
  private schema(document: RegoValue, base: string, node = emptyNode()): SchemaNode {
    if (typeof document === 'boolean' && atLeast(this.draft, 6))
      return Object.assign(node, { pass: document });
    if (!(document instanceof RegoObject))
      throw new BuiltinError('Expected: Valid Schema, given: Invalid JSON');
    const id = text(document, this.idKeyword(document));
    const scope = id === undefined ? base : inherit(base, id);
    const sub: Sub = (value) => this.schema(value, scope);
    definitions(document, sub);
    text(document, 'title');
    text(document, 'description');
    const reference = text(document, '$ref');
    if (reference !== undefined)
      return Object.assign(node, { target: this.refer(inherit(scope, reference)) });
    types(document, node);
    members(document, node, this.draft, sub);
    items(document, node, sub);
    numbers(document, node, this.draft);
    strings(document, node);
    objects(document, node);
    arrays(document, node, this.draft, sub);
    values(document, node, this.draft);
    combinations(document, node, this.draft, sub);
    return node;
  }

  private idKeyword(document: RegoObject): string {
    if (this.draft === 4 || (this.draft === 'hybrid' && document.has('id'))) return 'id';
    return '$id';
  }

  private refer(reference: string): SchemaNode {
    const known = this.references.get(reference);
    if (known !== undefined) return known;
    const node = emptyNode();
    this.references.set(reference, node);
    const document = this.pool.get(reference);
    if (typeof document !== 'boolean' && !(document instanceof RegoObject))
      throw new BuiltinError('Valid Schema must be of type object');
    return this.schema(document, reference, node);
  }
}

function isSchema(value: RegoValue): value is boolean | RegoObject {
  return typeof value === 'boolean' || value instanceof RegoObject;
}

function definitions(document: RegoObject, sub: Sub): void {
  const found = document.get('definitions');
  if (found === undefined) return;
  if (!(found instanceof RegoObject)) throw invalidType('Array Of Schemas', 'definitions');
  for (const [, definition] of found) {
    if (!isSchema(definition)) throw invalidType('Array Of Schemas', 'definitions');
    sub(definition);
  }
}

const TYPES = ['array', 'boolean', 'integer', 'number', 'null', 'object', 'string'];

function types(document: RegoObject, node: SchemaNode): void {
  const found = document.get('type');
  if (found === undefined) return;
  const named = typeof found === 'string' ? [found] : found;
  if (!Array.isArray(named)) throw invalidType('type', 'string/Array Of Strings');
  for (const type of named as readonly RegoValue[]) {
    if (typeof type !== 'string') throw invalidType('type', 'string/Array Of Strings');
    if (!TYPES.includes(type))
      throw new BuiltinError(
        `has a primitive type that is NOT VALID -- given: /${type}/ Expected valid values are:[${TYPES.join(' ')}]`,
      );
    if (node.types.includes(type)) throw new BuiltinError(`${type} type is duplicated`);
    node.types.push(type);
  }
}

function members(document: RegoObject, node: SchemaNode, draft: Draft, sub: Sub): void {
  const properties = document.get('properties');
  if (properties !== undefined) {
    if (!(properties instanceof RegoObject)) throw mustBeOfType('Properties', 'object');
    node.properties = Array.from(properties, ([name, schema]) => [name as string, sub(schema)]);
  }
  const additional = document.get('additionalProperties');
  if (additional !== undefined)
    node.additionalProperties = flagOrSchema(additional, 'additionalProperties', sub);
  const patterns = document.get('patternProperties');
  if (patterns !== undefined) {
    if (!(patterns instanceof RegoObject)) throw invalidType('Valid Schema', 'patternProperties');
    node.patternProperties = Array.from(patterns, ([pattern, schema]) => [
      compiled(pattern as string, `Invalid regex pattern '${pattern as string}'`),
      sub(schema),
    ]);
  }
  const names = document.get('propertyNames');
  if (names !== undefined && atLeast(draft, 6)) {
    if (!isSchema(names)) throw invalidType('Valid Schema', 'patternProperties');
    node.propertyNames = sub(names);
  }
  dependencies(document, node, sub);
}

function objects(document: RegoObject, node: SchemaNode): void {
  set(node, 'minProperties', size(document, 'minProperties'));
  set(node, 'maxProperties', size(document, 'maxProperties'));
  ordered(node.minProperties, node.maxProperties, 'minProperties', 'maxProperties');
  for (const name of list(document, 'required') ?? []) {
    if (typeof name !== 'string') throw invalidType('string', 'required');
    if (node.required.includes(name)) throw new BuiltinError('required items must be unique');
    node.required.push(name);
  }
}

function dependencies(document: RegoObject, node: SchemaNode, sub: Sub): void {
  const found = document.get('dependencies');
  if (found === undefined) return;
  if (!(found instanceof RegoObject)) throw mustBeOfType('dependencies', 'object');
  for (const [name, dependency] of found) {
    if (isSchema(dependency)) node.dependencies.set(name as string, sub(dependency));
    else if (Array.isArray(dependency) && dependency.every((one) => typeof one === 'string'))
      node.dependencies.set(name as string, dependency as string[]);
    else throw mustBeOfType('Dependency', 'Schema Or Array Of Strings');
  }
}

function items(document: RegoObject, node: SchemaNode, sub: Sub): void {
  const found = document.get('items');
  if (found !== undefined) {
    if (isSchema(found)) node.items = sub(found);
    else if (Array.isArray(found) && found.every(isSchema)) node.items = found.map(sub);
    else throw invalidType('Valid Schema/Array Of Schemas', 'items');
  }
  const additional = document.get('additionalItems');
  if (additional !== undefined) node.additionalItems = flagOrSchema(additional, 'additionalItems', sub);
}

function arrays(document: RegoObject, node: SchemaNode, draft: Draft, sub: Sub): void {
  set(node, 'minItems', size(document, 'minItems'));
  set(node, 'maxItems', size(document, 'maxItems'));
  const unique = document.get('uniqueItems');
  if (unique !== undefined && typeof unique !== 'boolean')
    throw new BuiltinError('uniqueItems must be of a boolean');
  node.uniqueItems = unique ?? false;
  const contains = document.get('contains');
  if (contains !== undefined && atLeast(draft, 6)) node.contains = sub(contains);
}

function numbers(document: RegoObject, node: SchemaNode, draft: Draft): void {
  const multiple = document.get('multipleOf');
  if (multiple !== undefined) {
    if (!isNumber(multiple)) throw invalidType('Number', 'multipleOf');
    if (compareNumbers(multiple, 0) <= 0)
      throw new BuiltinError('multipleOf must be strictly greater than 0');
    node.multipleOf = multiple;
  }
  for (const [bound, exclusive] of [
    ['minimum', 'exclusiveMinimum'],
    ['maximum', 'exclusiveMaximum'],
  ] as const) {
    const found = document.get(bound);
    if (found !== undefined && !isNumber(found)) throw new BuiltinError(`${bound} must be of a Number`);
    if (found !== undefined) node[bound] = found as RegoNumber;
    excluded(document.get(exclusive), node, draft, bound, exclusive);
  }
}

/** In draft 4 a flag beside the bound, from draft 6 on a bound itself. */
function excluded(
  found: RegoValue | undefined,
  node: SchemaNode,
  draft: Draft,
  bound: 'minimum' | 'maximum',
  exclusive: 'exclusiveMinimum' | 'exclusiveMaximum',
): void {
  if (found === undefined) return;
  if (isNumber(found) && draft !== 4) node[exclusive] = found;
  else if (typeof found === 'boolean' && (draft === 4 || draft === 'hybrid')) {
    const value = node[bound];
    if (value === undefined) throw new BuiltinError(`${exclusive} cannot be used without ${bound}`);
    if (!found) return;
    node[exclusive] = value;
    delete node[bound];
  } else
    throw invalidType({ 4: 'boolean', 6: 'number', 7: 'number', hybrid: 'boolean/number' }[draft], exclusive);
}

function strings(document: RegoObject, node: SchemaNode): void {
  set(node, 'minLength', size(document, 'minLength'));
  set(node, 'maxLength', size(document, 'maxLength'));
  ordered(node.minLength, node.maxLength, 'minLength', 'maxLength');
  const pattern = text(document, 'pattern');
  if (pattern !== undefined)
    node.pattern = { text: pattern, compiled: compiled(pattern, 'pattern must be a valid regex') };
  set(node, 'format', text(document, 'format'));
}

function values(document: RegoObject, node: SchemaNode, draft: Draft): void {
  const constant = document.get('const');
  if (constant !== undefined && atLeast(draft, 6)) node.const = plainJson(constant);
  const allowed = list(document, 'enum')?.map(plainJson);
  if (allowed === undefined) return;
  if (new Set(allowed).size !== allowed.length) throw new BuiltinError('enum items must be unique');
  node.enum = allowed;
}

function combinations(document: RegoObject, node: SchemaNode, draft: Draft, sub: Sub): void {
  for (const keyword of ['oneOf', 'anyOf', 'allOf'] as const)
    node[keyword] = (list(document, keyword) ?? []).map(sub);
  const conditions = atLeast(draft, 7) ? (['not', 'if', 'then', 'else'] as const) : (['not'] as const);
  for (const keyword of conditions) {
    const found = document.get(keyword);
    if (found === undefined) continue;
    if (!isSchema(found)) throw new BuiltinError(`${keyword} must be of an object`);
    node[keyword] = sub(found);
  }
}

function flagOrSchema(value: RegoValue, keyword: string, sub: Sub): boolean | SchemaNode {
  if (typeof value === 'boolean') return value;
  if (value instanceof RegoObject) return sub(value);
  throw invalidType('boolean/Valid Schema', keyword);
}

function isNumber(value: RegoValue): value is RegoNumber {
  return typeof value === 'number' || typeof value === 'bigint' || value instanceof ExactNumber;
}

function text(document: RegoObject, keyword: string): string | undefined {
  const value = document.get(keyword);
  if (value !== undefined && typeof value !== 'string') throw invalidType('string', keyword);
  return value;
}

function list(document: RegoObject, keyword: string): readonly RegoValue[] | undefined {
  const value = document.get(keyword);
  if (value !== undefined && !Array.isArray(value)) throw new BuiltinError(`${keyword} must be of an array`);
  return value as readonly RegoValue[] | undefined;
}

/** An integer as Go reads one, which has no fraction at all, not even `.0`. */
function size(document: RegoObject, keyword: string): number | undefined {
  const value = document.get(keyword);
  if (value === undefined) return undefined;
  const integer = isNumber(value) && !(value instanceof ExactNumber) ? toInteger(value) : undefined;
  if (integer === undefined || BigInt.asIntN(64, integer) !== integer)
    throw new BuiltinError(`${keyword} must be of an integer`);
  if (integer < 0n) throw new BuiltinError(`${keyword} must be greater than or equal to 0`);
  return Number(integer);
}

function ordered(least: number | undefined, most: number | undefined, x: string, y: string): void {
  if (least !== undefined && most !== undefined && least > most)
    throw new BuiltinError(`${x} cannot be greater than ${y}`);
}

function compiled(pattern: string, otherwise: string): ReturnType<typeof compilePattern> {
  try {
    return compilePattern(pattern);
  } catch (error) {
    if (error instanceof BuiltinError) throw new BuiltinError(otherwise);
    throw error;
  }
}

function set<K extends keyof SchemaNode>(
  node: SchemaNode,
  keyword: K,
  value: SchemaNode[K] | undefined,
): void {
  if (value !== undefined) node[keyword] = value;
}

function invalidType(expected: string, given: string): BuiltinError {
  return new BuiltinError(`Invalid type. Expected: ${expected}, given: ${given}`);
}

function mustBeOfType(key: string, type: string): BuiltinError {
  return new BuiltinError(`${key} must be of type ${type}`);
}
