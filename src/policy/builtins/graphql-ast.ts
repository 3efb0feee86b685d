import { RegoObject, type RegoValue, typeOf } from '../value.js';
import { BuiltinError } from './builtin.js';
import { limit } from './limit.js';

/**
 * GraphQL documents in the shape that policies see, which is the one of gqlparser, the Go library that OPA uses:
 * its structs and their members by name.
 */
export type Struct = { readonly [member: string]: Item };
export type Item = string | number | boolean | null | Struct | readonly Item[];

/** What a member is: a struct by its name, a list of them, or text, a truth, a number. */
type Member = 'text' | 'truth' | 'number' | 'texts' | StructName | readonly [StructName];

export type StructName = keyof typeof STRUCTS;

/** The kinds of a `Value`, by their numbers in gqlparser. */
export const VALUE_KINDS = [
  'Variable',
  'IntValue',
  'FloatValue',
  'StringValue',
  'BlockValue',
  'BooleanValue',
  'NullValue',
  'EnumValue',
  'ListValue',
  'ObjectValue',
] as const;

const SELECTION = { Directives: ['Directive'], SelectionSet: ['Field'], Comment: 'CommentGroup' } as const;
const INPUT = {
  Description: 'text',
  Name: 'text',
  DefaultValue: 'Value',
  Type: 'Type',
  Directives: ['Directive'],
} as const;
const AROUND = { BeforeDescriptionComment: 'CommentGroup', AfterDescriptionComment: 'CommentGroup' } as const;

export const STRUCTS = {
  QueryDocument: { Operations: ['OperationDefinition'], Fragments: ['FragmentDefinition'] },
  OperationDefinition: {
    Operation: 'text',
    Name: 'text',
    VariableDefinitions: ['VariableDefinition'],
    ...SELECTION,
  },
  FragmentDefinition: {
    Name: 'text',
    VariableDefinition: ['VariableDefinition'],
    TypeCondition: 'text',
    ...SELECTION,
  },
  VariableDefinition: {
    Variable: 'text',
    Type: 'Type',
    DefaultValue: 'Value',
    Directives: ['Directive'],
    Comment: 'CommentGroup',
    Used: 'truth',
  },
  Field: { Alias: 'text', Name: 'text', Arguments: ['Argument'], ...SELECTION },
  FragmentSpread: { Name: 'text', Directives: ['Directive'], Comment: 'CommentGroup' },
  InlineFragment: { TypeCondition: 'text', ...SELECTION },
  Argument: { Name: 'text', Value: 'Value', Comment: 'CommentGroup' },
  Directive: { Name: 'text', Arguments: ['Argument'], Location: 'text' },
  Type: { NamedType: 'text', Elem: 'Type', NonNull: 'truth' },
  Value: {
    Raw: 'text',
    Children: ['ChildValue'],
    Kind: 'number',
    Comment: 'CommentGroup',
    ExpectedTypeHasDefault: 'truth',
  },
  ChildValue: { Name: 'text', Value: 'Value', Comment: 'CommentGroup' },
  CommentGroup: { List: ['Comment'] },
  Comment: { Value: 'text' },
  SchemaDocument: {
    Schema: ['SchemaDefinition'],
    SchemaExtension: ['SchemaDefinition'],
    Directives: ['DirectiveDefinition'],
    Definitions: ['Definition'],
    Extensions: ['Definition'],
    Comment: 'CommentGroup',
  },
  SchemaDefinition: {
    Description: 'text',
    Directives: ['Directive'],
    OperationTypes: ['OperationTypeDefinition'],
    EndOfDefinitionComment: 'CommentGroup',
    ...AROUND,
  },
  OperationTypeDefinition: { Operation: 'text', Type: 'text', Comment: 'CommentGroup' },
  Definition: {
    Kind: 'text',
    Description: 'text',
    Name: 'text',
    Directives: ['Directive'],
    Interfaces: 'texts',
    Fields: ['FieldDefinition'],
    Types: 'texts',
    EnumValues: ['EnumValueDefinition'],
    BuiltIn: 'truth',
    EndOfDefinitionComment: 'CommentGroup',
    ...AROUND,
  },
  FieldDefinition: { ...INPUT, Arguments: ['ArgumentDefinition'], ...AROUND },
  ArgumentDefinition: { ...INPUT, ...AROUND },
  EnumValueDefinition: { Description: 'text', Name: 'text', Directives: ['Directive'], ...AROUND },
  DirectiveDefinition: {
    Description: 'text',
    Name: 'text',
    Arguments: ['ArgumentDefinition'],
    Locations: 'texts',
    IsRepeatable: 'truth',
    ...AROUND,
  },
} as const;

/** Structs and lists within each other: a query of 200 levels is nobody's. */
export const DEEPEST = 400;

const EMPTY = { text: '', truth: false, number: 0 } as const;

/** The struct with every member that it has, those that aren't given being empty. */
export function struct(name: StructName, members: Struct): Struct {
  const shape = Object.entries(STRUCTS[name] as { [member: string]: Member });
  return Object.fromEntries(
    shape.map(([member, type]) => [member, members[member] ?? EMPTY[type as keyof typeof EMPTY] ?? null]),
  );
}

/**
 * What a policy has as an object, as the struct that it should be; members that it does not have are ignored.
 *
 * @throws BuiltinError for a member of another type
 * @throws LimitError for one that nests too deeply
 */
export function structOf(name: StructName, value: RegoValue, depth = 0): Struct {
  limit('levels of a GraphQL document', depth, DEEPEST);
  if (typeOf(value) !== 'object') throw new BuiltinError(`a GraphQL ${name} must be an object`);
  const members: [string, Item][] = [];
  for (const [member, type] of Object.entries(STRUCTS[name] as { [member: string]: Member })) {
    const found = (value as RegoObject).get(member);
    if (found !== undefined && found !== null) members.push([member, itemOf(type, found, depth + 1)]);
  }
  return struct(name, Object.fromEntries(members));
}

function itemOf(type: Member, value: RegoValue, depth: number): Item {
  const fits =
    type === 'text'
      ? typeof value === 'string'
      : type === 'truth'
        ? typeof value === 'boolean'
        : type !== 'number' || Number.isSafeInteger(value);
  if (!fits) throw new BuiltinError('a member of a GraphQL document has the wrong type');
  if (type === 'text' || type === 'truth' || type === 'number') return value as Item;
  if (typeof type === 'string' && type !== 'texts') return structOf(type, value, depth);
  if (typeOf(value) !== 'array') throw new BuiltinError('a member of a GraphQL document must be an array');
  const items = value as readonly RegoValue[];
  return type === 'texts'
    ? items.map((item) => itemOf('text', item, depth))
    : items.map((item) => structOf(type[0] as StructName, item, depth));
}

/** As OPA gives it to a policy: without what is null, and without objects and arrays that are empty. */
export function prune(item: Item): RegoValue {
  if (Array.isArray(item)) return (item as readonly Item[]).map(prune).filter(isWorthwhile);
  if (item === null || typeof item !== 'object') return item as RegoValue;
  return new RegoObject(
    Object.entries(item as Struct)
      .map(([member, inner]) => [member, prune(inner)] as const)
      .filter(([, inner]) => isWorthwhile(inner)),
  );
}

function isWorthwhile(value: RegoValue): boolean {
  if (Array.isArray(value)) return value.length > 0;
  return value !== null && (!(value instanceof RegoObject) || value.size > 0);
}

/** The structs in a member that is a list. */
export function list(parent: Struct, member: string): readonly Struct[] {
  return (parent[member] ?? []) as readonly Struct[];
}

export function texts(parent: Struct, member: string): readonly string[] {
  return (parent[member] ?? []) as readonly string[];
}

export function text(parent: Struct, member: string): string {
  return (parent[member] ?? '') as string;
}
