import type { RE2JS } from 're2js';
import type { RegoNumber } from '../../value.js';

/** A schema that has been read: one keyword a field, absent where it was. */
export interface SchemaNode {
  /** A schema that is `true` or `false`. */
  pass?: boolean;
  /** What `$ref` leads to; nothing beside it counts. */
  target?: SchemaNode;
  types: string[];
  properties: [name: string, schema: SchemaNode][];
  additionalProperties?: boolean | SchemaNode;
  patternProperties: [pattern: RE2JS, schema: SchemaNode][];
  propertyNames?: SchemaNode;
  dependencies: Map<string, string[] | SchemaNode>;
  required: string[];
  minProperties?: number;
  maxProperties?: number;
  items?: SchemaNode | SchemaNode[];
  additionalItems?: boolean | SchemaNode;
  contains?: SchemaNode;
  uniqueItems: boolean;
  minItems?: number;
  maxItems?: number;
  multipleOf?: RegoNumber;
  minimum?: RegoNumber;
  maximum?: RegoNumber;
  exclusiveMinimum?: RegoNumber;
  exclusiveMaximum?: RegoNumber;
  minLength?: number;
  maxLength?: number;
  pattern?: { readonly text: string; readonly compiled: RE2JS };
  format?: string;
  /** As {@link plainJson} has it, which makes 1.0 and 1 the same. */
  const?: string;
  enum?: string[];
  oneOf: SchemaNode[];
  anyOf: SchemaNode[];
  allOf: SchemaNode[];
  not?: SchemaNode;
  if?: SchemaNode;
  then?: SchemaNode;
  else?: SchemaNode;
}

export function emptyNode(): SchemaNode {
  return {
    types: [],
    properties: [],
    patternProperties: [],
    dependencies: new Map(),
    required: [],
    uniqueItems: false,
    oneOf: [],
    anyOf: [],
    allOf: [],
  };
}
