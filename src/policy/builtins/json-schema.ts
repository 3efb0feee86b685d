import { LRUCache } from 'lru-cache';
import { formatValue } from '../text.js';
import { RegoObject, type RegoValue } from '../value.js';
import { type Builtins, BuiltinError } from './builtin.js';
import { parseJson } from './go-json.js';
import { LimitError } from './limit.js';
import { compileSchema } from './schema/compile.js';
import type { SchemaNode } from './schema/node.js';
import { jsonOf } from './schema/plain-json.js';
import { validate } from './schema/validate.js';

/** json.match_schema, json.verify_schema: JSON Schema of drafts 4, 6 and 7 */
export const JSON_SCHEMA: Builtins = {
  'json.verify_schema'(_, schema) {
    try {
      compiled(schema);
      return [true, null];
    } catch (error) {
      if (error instanceof BuiltinError) return [false, `jsonschema: ${error.message}`];
      throw error;
    }
  },

  'json.match_schema'(_, document, schema) {
    const json = load(document);
    const errors = validate(compiled(schema), json).map(
      ({ type, field, description }) =>
        new RegoObject([
          ['error', `${field}: ${description}`],
          ['type', type],
          ['field', field],
          ['desc', description],
        ]),
    );
    return [errors.length === 0, errors];
  },
};

/** Schemas that have been read, by their text: so many of them, and so many characters in all. */
const known = new LRUCache<string, SchemaNode>({
  max: 200,
  maxSize: 4 * 1024 * 1024,
  sizeCalculation: (_node, text) => text.length + 1,
});

function compiled(schema: RegoValue): SchemaNode {
  const text = typeof schema === 'string' ? `"${schema}` : formatValue(schema);
  const found = known.get(text);
  if (found !== undefined) return found;
  try {
    const node = compileSchema(load(schema));
    known.set(text, node);
    return node;
  } catch (error) {
    if (error instanceof RangeError) throw new LimitError('json.match_schema: a schema nested too deeply');
    throw error;
  }
}

/** A string is JSON; an object and an array are what they are; nothing else is taken. */
function load(value: RegoValue): RegoValue {
  if (typeof value !== 'string') {
    if (!(value instanceof RegoObject) && !Array.isArray(value))
      throw new BuiltinError('wrong type, expected string or object');
    return jsonOf(value);
  }
  try {
    return parseJson(value);
  } catch (error) {
    if (error instanceof BuiltinError) throw new BuiltinError('invalid JSON string');
    throw error;
  }
}
