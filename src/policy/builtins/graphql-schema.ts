import { buildSchema, type GraphQLSchema } from 'graphql';
import { BuiltinError } from './builtin.js';
import { list, type Struct, struct, text } from './graphql-ast.js';
import { printDirective, printType } from './graphql-print.js';
import { SchemaTypes, validateTypes } from './graphql-validate.js';

/** Directives that every schema has; one that defines them again is ignored in that. */
const BUILT_IN = ['include', 'skip', 'deprecated', 'specifiedBy', 'defer', 'oneOf'];

const DEFER = 'directive @defer(if: Boolean = true, label: String) on FRAGMENT_SPREAD | INLINE_FRAGMENT';

/** Types that every schema has, so that none may define them. */
const PRELUDE: Readonly<Record<string, readonly string[]>> = {
  SCALAR: ['Int', 'Float', 'String', 'Boolean', 'ID'],
  OBJECT: ['__Schema', '__Type', '__Field', '__InputValue', '__EnumValue', '__Directive'],
  ENUM: ['__TypeKind', '__DirectiveLocation'],
};

/**
 * The schema that a `SchemaDocument` stands for, if it is valid by gqlparser's rules, which differ from those of
 * graphql-js: an extension may define a type, and a schema needs no query type.
 *
 * @throws BuiltinError for one that isn't valid
 */
export function buildFrom(document: Struct): GraphQLSchema {
  const types = typesOf(document);
  const directives = directivesOf(document);
  const roots = rootsOf(document, types);
  const found = new SchemaTypes(types, directives);
  for (const part of [...list(document, 'Schema'), ...list(document, 'SchemaExtension')])
    found.checkDirectives(list(part, 'Directives'), 'SCHEMA');
  validateTypes(found);
  const definitions = [
    DEFER,
    ...[...directives.values()].map(printDirective),
    ...[...types.values()].filter((type) => type.BuiltIn !== true).map(printType),
    rootText(roots),
  ];
  // Valid by other rules than graphql-js's, which would else refuse it when a query is validated.
  return buildSchema(definitions.join('\n'), { assumeValid: true, assumeValidSDL: true });
}

/** By their names, extensions merged in. */
function typesOf(document: Struct): Map<string, Struct> {
  const types = new Map<string, Struct>();
  for (const [kind, names] of Object.entries(PRELUDE))
    for (const name of names)
      types.set(name, struct('Definition', { Kind: kind, Name: name, BuiltIn: true }));
  for (const definition of list(document, 'Definitions')) {
    const name = text(definition, 'Name');
    if (types.has(name)) throw new BuiltinError(`Cannot redeclare type ${name}.`);
    types.set(name, { ...definition, BuiltIn: false });
  }
  for (const extension of list(document, 'Extensions')) {
    const name = text(extension, 'Name');
    const kind = text(extension, 'Kind');
    const base = types.get(name) ?? struct('Definition', { Kind: kind, Name: name });
    if (text(base, 'Kind') !== kind)
      throw new BuiltinError(`Cannot extend type ${name} because the base type is of another kind.`);
    const merged = ['Directives', 'Interfaces', 'Fields', 'Types', 'EnumValues'].map((member) => [
      member,
      [...list(base, member), ...list(extension, member)],
    ]);
    types.set(name, { ...base, ...(Object.fromEntries(merged) as Struct) });
  }
  return types;
}

function directivesOf(document: Struct): Map<string, Struct> {
  const directives = new Map<string, Struct>();
  for (const definition of list(document, 'Directives')) {
    const name = text(definition, 'Name');
    if (BUILT_IN.includes(name)) continue;
    if (directives.has(name)) throw new BuiltinError(`Cannot redeclare directive ${name}.`);
    directives.set(name, definition);
  }
  return directives;
}

/** The types of query, mutation and subscription; without a `schema` they go by their names. */
function rootsOf(document: Struct, types: ReadonlyMap<string, Struct>): Map<string, string> {
  const schemas = list(document, 'Schema');
  if (schemas.length > 1) throw new BuiltinError('Cannot have multiple schema entry points.');
  const roots = new Map<string, string>();
  for (const part of [...schemas, ...list(document, 'SchemaExtension')])
    for (const root of list(part, 'OperationTypes')) {
      const type = text(root, 'Type');
      if (!types.has(type))
        throw new BuiltinError(`Schema root refers to a type ${type} that does not exist.`);
      roots.set(text(root, 'Operation'), type);
    }
  if (schemas.length === 0)
    for (const name of ['Query', 'Mutation', 'Subscription'])
      if (types.has(name) && !roots.has(name.toLowerCase())) roots.set(name.toLowerCase(), name);
  return roots;
}

function rootText(roots: ReadonlyMap<string, string>): string {
  const parts = [...roots].filter(([operation]) => OPERATIONS.includes(operation));
  return parts.length === 0
    ? ''
    : `schema { ${parts.map(([operation, type]) => `${operation}: ${type}`).join(' ')} }`;
}

const OPERATIONS = ['query', 'mutation', 'subscription'];
