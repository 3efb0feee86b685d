import { ExactNumber } from '../json/exact.js';
import type { Struct, StructValue } from './messages.js';
import { wellFormed } from './text.js';

/** A google.protobuf.Struct as the JSON it stands for. */
export function fromStruct(struct: Struct): { [name: string]: unknown } {
  return Object.fromEntries(
    Object.entries(struct.fields ?? {}).map(([name, value]) => [name, fromValue(value)]),
  );
}

function fromValue(value: StructValue): unknown {
  if (value.stringValue !== undefined) return value.stringValue;
  if (value.boolValue !== undefined) return value.boolValue;
  if (value.structValue !== undefined) return fromStruct(value.structValue);
  if (value.listValue !== undefined) return (value.listValue.values ?? []).map(fromValue);
  if (value.numberValue === undefined) return null;
  // JSON has no NaN and no infinities: by name, as protobuf's JSON mapping writes a double.
  return Number.isFinite(value.numberValue) ? value.numberValue : String(value.numberValue);
}

/**
 * Objects within each other that a CheckResponse may carry. Envoy's protobuf parser stops at 100 messages
 * within each other, three for each object of a Struct, and takes the answer for an error then.
 */
const MAX_DEPTH = 24;

/**
 * JSON as a google.protobuf.Struct. A number there is a double: what a double does not hold exactly is written
 * as a string. Members that are undefined are left out, and so is what lies deeper than Envoy can read.
 */
export function toStruct(object: object, depth = 0): Struct {
  const fields: [string, StructValue][] = [];
  for (const [name, member] of Object.entries(object)) {
    const value = toValue(member, depth + 1);
    if (value !== undefined) fields.push([wellFormed(name), value]);
  }
  return { fields: Object.fromEntries(fields) };
}

function toValue(value: unknown, depth: number): StructValue | undefined {
  if (value === undefined || depth > MAX_DEPTH) return undefined;
  if (value === null) return { nullValue: 0 };
  if (typeof value === 'number') return { numberValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  if (typeof value === 'bigint') return { stringValue: value.toString() };
  if (value instanceof ExactNumber) return { stringValue: value.text };
  if (Array.isArray(value))
    return { listValue: { values: value.map((item) => toValue(item, depth + 1) ?? { nullValue: 0 }) } };
  if (typeof value === 'object') return { structValue: toStruct(value, depth) };
  return { stringValue: wellFormed(String(value)) };
}
