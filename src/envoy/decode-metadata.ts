import { define } from '../json/define.js';
import type { Metadata, Struct, StructValue } from './messages.js';
import { bytes, double, varint, type WireReader } from './wire-reader.js';

type Writable<T> = { -readonly [name in keyof T]: T[name] };

/** Messages within each other, as protobuf's own parsers have it: three for each object of a Struct. */
const DEEPEST = 100;

/**
 * envoy.config.core.v3.Metadata, which other filters have filled.
 *
 * @throws RangeError for bytes that are no Metadata, and for Structs nested more deeply than protobuf allows
 */
export function decodeMetadata(reader: WireReader, end: number): Metadata {
  const message: Writable<Metadata> = {};
  while (reader.more(end)) {
    const tag = reader.tag();
    if (tag === bytes(1)) entry(reader, (message.filterMetadata ??= {}), NO_STRUCT, struct, 4);
    else if (tag === bytes(2)) entry(reader, (message.typedFilterMetadata ??= {}), NO_ANY, any, 4);
    else reader.skip(tag);
  }
  return message;
}

const NO_STRUCT: Struct = {};
const NO_ANY: Any = {};
const NO_VALUE: StructValue = {};

type Any = NonNullable<Metadata['typedFilterMetadata']>[string];

/** One entry of a map of messages; one that leaves out its value has an empty one. */
function entry<T>(
  reader: WireReader,
  map: { [name: string]: T },
  nothing: T,
  decode: (reader: WireReader, end: number, depth: number) => T,
  depth: number,
): void {
  const end = reader.end();
  let key = '';
  let value = nothing;
  while (reader.more(end)) {
    const tag = reader.tag();
    if (tag === bytes(1)) key = reader.string();
    else if (tag === bytes(2)) value = decode(reader, reader.end(), depth + 1);
    else reader.skip(tag);
  }
  define(map, key, value);
}

/** google.protobuf.Any */
function any(reader: WireReader, end: number): Any {
  const message: Writable<Any> = {};
  while (reader.more(end)) {
    const tag = reader.tag();
    if (tag === bytes(1)) message.type_url = reader.string();
    else if (tag === bytes(2)) message.value = reader.bytes();
    else reader.skip(tag);
  }
  return message;
}

/** google.protobuf.Struct */
function struct(reader: WireReader, end: number, depth: number): Struct {
  if (depth > DEEPEST) throw new RangeError('nested too deeply');
  const message: Writable<Struct> = {};
  while (reader.more(end)) {
    const tag = reader.tag();
    if (tag === bytes(1)) entry(reader, (message.fields ??= {}), NO_VALUE, value, depth + 1);
    else reader.skip(tag);
  }
  return message;
}

/** google.protobuf.Value: of several kinds the last one on the wire counts. */
function value(reader: WireReader, end: number, depth: number): StructValue {
  if (depth > DEEPEST) throw new RangeError('nested too deeply');
  let message: StructValue = {};
  while (reader.more(end)) {
    const tag = reader.tag();
    switch (tag) {
      case varint(1):
        message = { nullValue: reader.int32() };
        break;
      case double(2):
        message = { numberValue: reader.double() };
        break;
      case bytes(3):
        message = { stringValue: reader.string() };
        break;
      case varint(4):
        message = { boolValue: reader.bool() };
        break;
      case bytes(5):
        message = { structValue: struct(reader, reader.end(), depth + 1) };
        break;
      case bytes(6):
        message = { listValue: list(reader, reader.end(), depth + 1) };
        break;
      default:
        reader.skip(tag);
    }
  }
  return message;
}

/** google.protobuf.ListValue */
function list(reader: WireReader, end: number, depth: number): NonNullable<StructValue['listValue']> {
  const values: StructValue[] = [];
  while (reader.more(end)) {
    const tag = reader.tag();
    if (tag === bytes(1)) values.push(value(reader, reader.end(), depth + 1));
    else reader.skip(tag);
  }
  return values.length > 0 ? { values } : {};
}
