import {
  type ASTNode,
  type DefinitionNode,
  type DirectiveNode,
  type FieldDefinitionNode,
  type InputValueDefinitionNode,
  Kind,
  Lexer,
  type OperationDefinitionNode,
  parse,
  type SelectionSetNode,
  Source,
  type StringValueNode,
  type Token,
  TokenKind,
  type TypeNode,
  type ValueNode,
  type VariableDefinitionNode,
} from 'graphql';
import { BuiltinError } from './builtin.js';
import { DEEPEST, type Item, type Struct, struct, VALUE_KINDS } from './graphql-ast.js';
import { limit } from './limit.js';

/** Reads GraphQL by graphql-js and tells it in the structs of gqlparser. */

/** Tokens of a query: checking whether its fields can be merged takes the square of their number. */
export const MOST_QUERY_TOKENS = 4_000;

export const MOST_SCHEMA_TOKENS = 200_000;

/**
 * @returns a `QueryDocument`
 * @throws BuiltinError for what is no query
 * @throws LimitError for one that is too long or too deep
 */
export function parseQuery(query: string): Struct {
  const definitions = definitionsOf(query, MOST_QUERY_TOKENS).definitions;
  const operations: Struct[] = [];
  const fragments: Struct[] = [];
  for (const node of definitions) {
    // Descriptions of operations came with a later edition of the language.
    if ('description' in node && node.description !== undefined) throw unexpected(node);
    if (node.kind === Kind.OPERATION_DEFINITION) operations.push(operationOf(node));
    else if (node.kind === Kind.FRAGMENT_DEFINITION)
      fragments.push(
        struct('FragmentDefinition', {
          Name: node.name.value,
          VariableDefinition: (node.variableDefinitions ?? []).map(variableOf),
          TypeCondition: node.typeCondition.name.value,
          Directives: directivesOf(node),
          SelectionSet: selectionsOf(node.selectionSet),
          Comment: commentBefore(node),
        }),
      );
    else throw unexpected(node);
  }
  return struct('QueryDocument', { Operations: operations, Fragments: fragments });
}

/**
 * @returns a `SchemaDocument`
 * @throws BuiltinError for what is no schema
 * @throws LimitError for one that is too long or too deep
 */
export function parseSchema(schema: string): Struct {
  const { definitions, end } = definitionsOf(schema, MOST_SCHEMA_TOKENS);
  const members = {
    Schema: [] as Struct[],
    SchemaExtension: [] as Struct[],
    Directives: [] as Struct[],
    Definitions: [] as Struct[],
    Extensions: [] as Struct[],
  };
  for (const node of definitions) {
    const [member, found] = definitionOf(node);
    members[member].push(found);
  }
  return struct('SchemaDocument', { ...members, Comment: comments(end) });
}

function definitionsOf(text: string, most: number): { definitions: readonly DefinitionNode[]; end: Token } {
  try {
    const end = measure(text, most);
    // graphql-js wants at least one definition, gqlparser none.
    if (previous(end)?.kind === TokenKind.SOF) return { definitions: [], end };
    const document = parse(text, { allowLegacyFragmentVariables: true });
    return { definitions: document.definitions, end: document.loc!.endToken };
  } catch (error) {
    // The message may quote the text, which may be a caller's; it stays inside of the evaluation.
    if (error instanceof Error && error.name === 'GraphQLError')
      throw new BuiltinError(`GraphQL parse error: ${error.message}`);
    throw error;
  }
}

/** Before it is parsed, which nests as deep as the text does. */
function measure(text: string, most: number): Token {
  const lexer = new Lexer(new Source(text));
  let [count, depth] = [0, 0];
  for (;;) {
    const token = lexer.advance();
    if (token.kind === TokenKind.EOF) return token;
    limit('tokens of a GraphQL document', ++count, most);
    if (OPENING.includes(token.kind)) limit('levels of a GraphQL document', ++depth, DEEPEST / 2);
    if (CLOSING.includes(token.kind)) depth--;
  }
}

const OPENING: readonly string[] = [TokenKind.BRACE_L, TokenKind.BRACKET_L, TokenKind.PAREN_L];
const CLOSING: readonly string[] = [TokenKind.BRACE_R, TokenKind.BRACKET_R, TokenKind.PAREN_R];

/** The token before, comments aside. */
function previous(token: Token): Token | null {
  let before = token.prev;
  while (before !== null && before.kind === TokenKind.COMMENT) before = before.prev;
  return before;
}

function unexpected(node: ASTNode): BuiltinError {
  return new BuiltinError(`GraphQL parse error: unexpected ${node.kind}`);
}

/** The comments right before a token; null for none. */
function comments(token: Token | undefined): Struct | null {
  const found: Struct[] = [];
  for (let before = token?.prev; before?.kind === TokenKind.COMMENT; before = before.prev)
    found.unshift({ Value: `#${before.value}` });
  return found.length === 0 ? null : { List: found };
}

function commentBefore(node: ASTNode): Struct | null {
  return comments(node.loc?.startToken);
}

function operationOf(node: OperationDefinitionNode): Struct {
  return struct('OperationDefinition', {
    Operation: node.operation,
    Name: node.name?.value ?? '',
    VariableDefinitions: (node.variableDefinitions ?? []).map(variableOf),
    Directives: directivesOf(node),
    SelectionSet: selectionsOf(node.selectionSet),
    // gqlparser loses it where the operation is a selection only, since it asks too late.
    Comment: node.loc?.startToken.kind === TokenKind.BRACE_L ? null : commentBefore(node),
  });
}

function variableOf(node: VariableDefinitionNode): Struct {
  return struct('VariableDefinition', {
    Variable: node.variable.name.value,
    Type: typeOf(node.type),
    DefaultValue: node.defaultValue === undefined ? null : valueOf(node.defaultValue),
    Directives: directivesOf(node),
    Comment: commentBefore(node),
  });
}

function selectionsOf(set: SelectionSetNode | undefined): Struct[] {
  return (set?.selections ?? []).map((node) => {
    const shared = { Directives: directivesOf(node), Comment: commentBefore(node) };
    switch (node.kind) {
      case Kind.FIELD:
        return struct('Field', {
          ...shared,
          Alias: node.alias?.value ?? node.name.value,
          Name: node.name.value,
          Arguments: argumentsOf(node.arguments),
          SelectionSet: selectionsOf(node.selectionSet),
        });
      case Kind.FRAGMENT_SPREAD:
        return struct('FragmentSpread', { ...shared, Name: node.name.value });
      case Kind.INLINE_FRAGMENT:
        return struct('InlineFragment', {
          ...shared,
          TypeCondition: node.typeCondition?.name.value ?? '',
          SelectionSet: selectionsOf(node.selectionSet),
        });
    }
  });
}

function directivesOf(node: { readonly directives?: readonly DirectiveNode[] | undefined }): Struct[] {
  return (node.directives ?? []).map((directive) =>
    struct('Directive', { Name: directive.name.value, Arguments: argumentsOf(directive.arguments) }),
  );
}

function argumentsOf(nodes: DirectiveNode['arguments']): Struct[] {
  return (nodes ?? []).map((node) =>
    struct('Argument', { Name: node.name.value, Value: valueOf(node.value), Comment: commentBefore(node) }),
  );
}

function typeOf(node: TypeNode): Struct {
  switch (node.kind) {
    case Kind.NON_NULL_TYPE:
      return { ...typeOf(node.type), NonNull: true };
    case Kind.LIST_TYPE:
      return struct('Type', { Elem: typeOf(node.type) });
    case Kind.NAMED_TYPE:
      return struct('Type', { NamedType: node.name.value });
  }
}

function valueOf(node: ValueNode): Struct {
  const of = (kind: (typeof VALUE_KINDS)[number], members: Struct) =>
    struct('Value', { Kind: VALUE_KINDS.indexOf(kind), ...members });
  switch (node.kind) {
    case Kind.VARIABLE:
      return of('Variable', { Raw: node.name.value });
    case Kind.NULL:
      return of('NullValue', { Raw: 'null' });
    case Kind.BOOLEAN:
      return of('BooleanValue', { Raw: String(node.value) });
    case Kind.STRING:
      return of(node.block === true ? 'BlockValue' : 'StringValue', { Raw: node.value });
    case Kind.INT:
    case Kind.FLOAT:
    case Kind.ENUM:
      return of(node.kind, { Raw: node.value });
    case Kind.LIST:
      return of('ListValue', {
        Children: node.values.map((value) => struct('ChildValue', { Value: valueOf(value) })),
        Comment: commentBefore(node),
      });
    case Kind.OBJECT:
      return of('ObjectValue', {
        Children: node.fields.map((field) =>
          struct('ChildValue', {
            Name: field.name.value,
            Value: valueOf(field.value),
            Comment: commentBefore(field),
          }),
        ),
        Comment: commentBefore(node),
      });
  }
}

type Where = 'Schema' | 'SchemaExtension' | 'Directives' | 'Definitions' | 'Extensions';

const KINDS: { readonly [kind: string]: string } = {
  Scalar: 'SCALAR',
  ObjectType: 'OBJECT',
  InterfaceType: 'INTERFACE',
  UnionType: 'UNION',
  EnumType: 'ENUM',
  InputObjectType: 'INPUT_OBJECT',
};

function definitionOf(node: DefinitionNode): [Where, Struct] {
  switch (node.kind) {
    case Kind.OPERATION_DEFINITION:
    case Kind.FRAGMENT_DEFINITION:
      throw unexpected(node);
    case Kind.DIRECTIVE_DEFINITION:
      return [
        'Directives',
        struct('DirectiveDefinition', {
          ...described(node),
          Name: node.name.value,
          Arguments: (node.arguments ?? []).map((argument) => inputOf('ArgumentDefinition', argument)),
          Locations: node.locations.map(({ value }) => value),
          IsRepeatable: node.repeatable,
        }),
      ];
    case Kind.SCHEMA_DEFINITION:
    case Kind.SCHEMA_EXTENSION:
      return [
        node.kind === Kind.SCHEMA_DEFINITION ? 'Schema' : 'SchemaExtension',
        struct('SchemaDefinition', {
          ...described(node),
          Directives: directivesOf(node),
          OperationTypes: (node.operationTypes ?? []).map((root) =>
            struct('OperationTypeDefinition', {
              Operation: root.operation,
              Type: root.type.name.value,
              Comment: commentBefore(root),
            }),
          ),
          EndOfDefinitionComment:
            (node.operationTypes ?? []).length > 0 ? comments(node.loc?.endToken) : null,
        }),
      ];
    default: {
      const [, kind = '', what] = /^(.*?)(?:Type)?(Definition|Extension)$/.exec(node.kind) ?? [];
      // gqlparser has this from a later edition of the language for definitions only.
      if (node.kind === Kind.INTERFACE_TYPE_EXTENSION && (node.interfaces ?? []).length > 0)
        throw unexpected(node);
      const fields = 'fields' in node ? (node.fields ?? []) : [];
      const values = 'values' in node ? (node.values ?? []) : [];
      return [
        what === 'Definition' ? 'Definitions' : 'Extensions',
        struct('Definition', {
          ...described(node),
          Kind: KINDS[kind] ?? KINDS[`${kind}Type`] ?? '',
          Name: node.name.value,
          Directives: directivesOf(node),
          Interfaces: 'interfaces' in node ? (node.interfaces ?? []).map(({ name }) => name.value) : [],
          Fields: fields.map((field) => inputOf('FieldDefinition', field)),
          Types: 'types' in node ? (node.types ?? []).map(({ name }) => name.value) : [],
          EnumValues: values.map((value) =>
            struct('EnumValueDefinition', {
              ...described(value, true),
              Name: value.name.value,
              Directives: directivesOf(value),
            }),
          ),
          EndOfDefinitionComment: fields.length + values.length > 0 ? comments(node.loc?.endToken) : null,
        }),
      ];
    }
  }
}

function inputOf(
  name: 'FieldDefinition' | 'ArgumentDefinition',
  node: FieldDefinitionNode | InputValueDefinitionNode,
): Struct {
  const defaultValue = 'defaultValue' in node ? node.defaultValue : undefined;
  return struct(name, {
    ...described(node, true),
    Name: node.name.value,
    Type: typeOf(node.type),
    Directives: directivesOf(node),
    DefaultValue: defaultValue === undefined ? null : valueOf(defaultValue),
    ...('arguments' in node && {
      Arguments: (node.arguments ?? []).map((argument) => inputOf('ArgumentDefinition', argument)),
    }),
  });
}

/** @param inner whether it is part of a definition, where an empty description counts for none */
function described(
  node: ASTNode & { readonly description?: StringValueNode | undefined },
  inner = false,
): { [member: string]: Item } {
  const { description } = node;
  if (description === undefined) return { AfterDescriptionComment: commentBefore(node) };
  return {
    Description: description.value,
    BeforeDescriptionComment: inner && description.value === '' ? null : commentBefore(node),
    AfterDescriptionComment: comments(following(description.loc?.endToken)),
  };
}

/** The token after, comments aside. */
function following(token: Token | undefined): Token | undefined {
  let next = token?.next;
  while (next?.kind === TokenKind.COMMENT) next = next.next;
  return next ?? undefined;
}
