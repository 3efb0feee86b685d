import { z } from 'zod';
import { configSchema } from './schema.js';

/** A JSON Schema object, as far as this folder reads one. */
export interface JsonSchema {
  readonly description?: string;
  readonly default?: unknown;
  readonly required?: readonly string[];
  readonly properties?: { readonly [key: string]: JsonSchema };
  readonly additionalProperties?: boolean | JsonSchema;
  readonly items?: JsonSchema;
}

/**
 * The JSON Schema (draft 2020-12) of the configuration file, for editors and for `countersign config schema`.
 * It describes the file as it is written: durations are strings. What spans several keys, such as issuers
 * that have to be unique, is checked when the file is loaded only.
 */
export function configJsonSchema(): JsonSchema {
  return z.toJSONSchema(configSchema, { target: 'draft-2020-12', io: 'input' }) as JsonSchema;
}
