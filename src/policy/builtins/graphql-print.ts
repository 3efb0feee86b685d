import { BuiltinError } from './builtin.js';
import { list, type Struct, text, texts, VALUE_KINDS } from './graphql-ast.js';

/**
 * Writes the structs of gqlparser as GraphQL, by which they become what graphql-js validates. What they came from
 * may be an object that a policy made up, so every name is checked to be one.
 */
export function printQuery(document: Struct): string {
  return [...list(document, 'Operations').map(operation), ...list(document, 'Fragments').map(fragment)].join(
    '\n',
  );
}

/** @returns the definition of one type */
export function printType(definition: Struct): string {
  const head = `${name(text(definition, 'Name'))}${interfaces(definition)}${directives(definition)}`;
  const fields = () => block(list(definition, 'Fields').map(field));
  switch (text(definition, 'Kind')) {
    case 'SCALAR':
      return `scalar ${head}`;
    case 'OBJECT':
      return `type ${head}${fields()}`;
    case 'INTERFACE':
      return `interface ${head}${fields()}`;
    case 'INPUT_OBJECT':
      return `input ${head}${fields()}`;
    case 'ENUM':
      return `enum ${head}${block(list(definition, 'EnumValues').map((value) => name(text(value, 'Name')) + directives(value)))}`;
    case 'UNION':
      return `union ${head}${joined(' = ', texts(definition, 'Types').map(name), ' | ')}`;
    default:
      throw new BuiltinError('a GraphQL definition of no known kind');
  }
}

export function printDirective(definition: Struct): string {
  const repeatable = definition.IsRepeatable === true ? ' repeatable' : '';
  const locations = texts(definition, 'Locations').map(name).join(' | ');
  return `directive @${name(text(definition, 'Name'))}${parameters(definition)}${repeatable} on ${locations}`;
}

function name(value: string): string {
  if (!/^[_A-Za-z][_0-9A-Za-z]*$/.test(value)) throw new BuiltinError('a GraphQL name that is none');
  return value;
}

/** `parts` between what opens them and what closes them; nothing for none. */
function joined(open: string, parts: readonly string[], separator = ' ', close = ''): string {
  return parts.length === 0 ? '' : open + parts.join(separator) + close;
}

function block(parts: readonly string[]): string {
  return joined(' { ', parts, '\n', ' }');
}

function interfaces(definition: Struct): string {
  return joined(' implements ', texts(definition, 'Interfaces').map(name), ' & ');
}

function directives(parent: Struct): string {
  return joined(
    ' ',
    list(parent, 'Directives').map((directive) => `@${name(text(directive, 'Name'))}${given(directive)}`),
  );
}

/** Arguments with their values. */
function given(parent: Struct): string {
  const all = list(parent, 'Arguments');
  return joined(
    '(',
    all.map((argument) => `${name(text(argument, 'Name'))}: ${value(argument.Value)}`),
    ', ',
    ')',
  );
}

/** Arguments with their types. */
function parameters(parent: Struct): string {
  return joined('(', list(parent, 'Arguments').map(input), ', ', ')');
}

function field(definition: Struct): string {
  return name(text(definition, 'Name')) + parameters(definition) + rest(definition);
}

function input(definition: Struct): string {
  return name(text(definition, 'Name')) + rest(definition);
}

function rest(definition: Struct): string {
  return `: ${type(definition.Type)}${defaultOf(definition)}${directives(definition)}`;
}

function defaultOf(definition: Struct): string {
  return (definition.DefaultValue ?? null) === null ? '' : ` = ${value(definition.DefaultValue)}`;
}

function type(item: Struct[string] | undefined): string {
  if (item === null || item === undefined) throw new BuiltinError('a GraphQL type is missing');
  const found = item as Struct;
  const named = text(found, 'NamedType');
  return (named === '' ? `[${type(found.Elem)}]` : name(named)) + (found.NonNull === true ? '!' : '');
}

function operation(found: Struct): string {
  const kind = text(found, 'Operation') || 'query';
  const title = text(found, 'Name') === '' ? '' : ` ${name(text(found, 'Name'))}`;
  return name(kind) + title + variables(found, 'VariableDefinitions') + directives(found) + selections(found);
}

function fragment(found: Struct): string {
  const title = name(text(found, 'Name')) + variables(found, 'VariableDefinition');
  return `fragment ${title} on ${name(text(found, 'TypeCondition'))}${directives(found)}${selections(found)}`;
}

function variables(parent: Struct, member: string): string {
  return joined(
    '(',
    list(parent, member).map(
      (variable) =>
        `$${name(text(variable, 'Variable'))}: ${type(variable.Type)}${defaultOf(variable)}${directives(variable)}`,
    ),
    ', ',
    ')',
  );
}

/** A struct that came from an object has fields only: gqlparser takes every selection in it for one. */
function selections(parent: Struct): string {
  return block(
    list(parent, 'SelectionSet').map((found) => {
      const own = name(text(found, 'Name'));
      const alias = text(found, 'Alias');
      const head = alias === '' || alias === own ? own : `${name(alias)}: ${own}`;
      return head + given(found) + directives(found) + selections(found);
    }),
  );
}

function value(item: Struct[string] | undefined): string {
  if (item === null || item === undefined) throw new BuiltinError('a GraphQL value is missing');
  const found = item as Struct;
  const raw = text(found, 'Raw');
  const children = list(found, 'Children');
  switch (VALUE_KINDS[found.Kind as number]) {
    case 'Variable':
      return `$${name(raw)}`;
    case 'IntValue':
    case 'FloatValue':
      if (!/^-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$/.test(raw)) break;
      return raw;
    case 'StringValue':
    case 'BlockValue':
      return JSON.stringify(raw);
    case 'BooleanValue':
    case 'NullValue':
    case 'EnumValue':
      return name(raw);
    case 'ListValue':
      return `[${children.map((child) => value(child.Value)).join(', ')}]`;
    case 'ObjectValue':
      return `{${children.map((child) => `${name(text(child, 'Name'))}: ${value(child.Value)}`).join(', ')}}`;
  }
  throw new BuiltinError('a GraphQL value of no known kind');
}
