import { createHash } from 'node:crypto';
import {
  GraphQLError,
  type GraphQLSchema,
  type OperationDefinitionNode,
  parse,
  specifiedRules,
  validate,
  type ValidationContext,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import { formatValue } from '../text.js';
import { RegoObject, type RegoValue, typeOf } from '../value.js';
import { type Builtin, type BuiltinContext, BuiltinError, type Builtins, operand } from './builtin.js';
import { list, prune, type Struct, structOf } from './graphql-ast.js';
import { parseQuery, parseSchema } from './graphql-parse.js';
import { printQuery } from './graphql-print.js';
import { buildFrom } from './graphql-schema.js';
import { LimitError } from './limit.js';

/** graphql.* */
export const GRAPHQL: Builtins = {
  'graphql.parse': (_: BuiltinContext, ...operands: RegoValue[]) => verified(operands[0]!, operands[1]!),
  'graphql.parse_and_verify': (_: BuiltinContext, ...operands: RegoValue[]) =>
    orElse(
      () => [true, ...verified(operands[0]!, operands[1]!)],
      [false, new RegoObject([]), new RegoObject([])],
    ),
  'graphql.parse_query': (_: BuiltinContext, ...operands: RegoValue[]) =>
    prune(parseQuery(operand(operands[0]!, 1, 'string'))),
  'graphql.parse_schema': (_: BuiltinContext, ...operands: RegoValue[]) => {
    operand(operands[0]!, 1, 'string');
    return schemaOf(operands[0]!).ast;
  },
  'graphql.is_valid': (_: BuiltinContext, ...operands: RegoValue[]) =>
    orElse(() => {
      verified(operands[0]!, operands[1]!);
      return true;
    }, false),
  'graphql.schema_is_valid': (_: BuiltinContext, ...operands: RegoValue[]) =>
    orElse(() => {
      schemaOf(operands[0]!).built();
      return true;
    }, false),
};

/** What stands for a failure where OPA doesn't call it an error. */
function orElse(result: () => RegoValue, otherwise: RegoValue): ReturnType<Builtin> {
  try {
    return result();
  } catch (error) {
    if (error instanceof BuiltinError) return otherwise;
    throw error;
  }
}

interface Schema {
  readonly ast: RegoValue;
  /** @throws BuiltinError for one that isn't valid */
  readonly built: () => GraphQLSchema;
}

/** As many as OPA keeps. A schema is large, and the same for every request; so is what is made of it. */
const schemas = new LRUCache<string, Schema>({ max: 10 });

function schemaOf(value: RegoValue): Schema {
  const isText = typeOf(operand(value, 2, 'string', 'object')) === 'string';
  const content = isText ? (value as string) : formatValue(value);
  const key = createHash('sha256').update(`${isText}${content}`).digest('base64');
  let schema = schemas.get(key);
  if (schema === undefined) {
    const document = isText ? parseSchema(value as string) : structOf('SchemaDocument', value);
    let built: GraphQLSchema | undefined;
    schema = { ast: prune(document), built: () => (built ??= asBuiltinError(() => buildFrom(document))) };
    schemas.set(key, schema);
  }
  return schema;
}

/** Both as objects, if the query is valid by the schema. */
function verified(query: RegoValue, schema: RegoValue): [query: RegoValue, schema: RegoValue] {
  const isText = typeOf(operand(query, 1, 'string', 'object')) === 'string';
  const document = isText ? parseQuery(query as string) : structOf('QueryDocument', query);
  const { ast, built } = schemaOf(schema);
  check(isText ? (query as string) : printQuery(document), document, built());
  return [prune(document), ast];
}

function check(query: string, document: Struct, schema: GraphQLSchema): void {
  // What holds no definition is no document to graphql-js, and a valid one to gqlparser.
  if (['Operations', 'Fragments'].every((member) => list(document, member).length === 0)) return;
  const parsed = asBuiltinError(() => parse(query, { allowLegacyFragmentVariables: true, noLocation: true }));
  const [error] = validate(schema, parsed, RULES, { maxErrors: 1 });
  // graphql-js stops by itself where comparing fields with each other would take too long.
  if (error?.message === 'Validation aborted.')
    throw new LimitError('fields of a GraphQL query that must be compared');
  if (error !== undefined) throw new BuiltinError(`${error.message} in GraphQL string`);
}

/** Those of the specification, and one that graphql-js leaves to execution. */
const RULES = [
  ...specifiedRules,
  (context: ValidationContext) => ({
    OperationDefinition: (node: OperationDefinitionNode) => {
      if (!context.getSchema().getRootType(node.operation))
        context.reportError(new GraphQLError(`Schema does not support operation type "${node.operation}"`));
    },
  }),
];

function asBuiltinError<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (error instanceof GraphQLError) throw new BuiltinError(`GraphQL parse error: ${error.message}`);
    throw error;
  }
}
