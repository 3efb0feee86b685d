import type { Struct, StructValue } from './messages.js';

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
