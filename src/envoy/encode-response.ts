import { ExactNumber } from '../json/exact.js';
import type { HeaderOption, OutgoingCheckResponse, QueryParameter } from './messages.js';
import { wellFormed } from './text.js';
import { WireWriter } from './wire-writer.js';

const writer = new WireWriter();

/**
 * An envoy.service.auth.v3.CheckResponse in protobuf. Written by hand, because it is written for every request
 * of the mesh: converting its metadata to messages and those to bytes took longer than the decision
 * (docs/performance.md). Fields are written in the order of falling numbers: see {@link WireWriter}.
 */
export function encodeCheckResponse(response: OutgoingCheckResponse): Buffer {
  const { status, deniedResponse, okResponse, dynamicMetadata } = response;
  // Protobuf leaves out what is 0, and Envoy takes that for an allow: nothing else may come to it.
  if (!Number.isInteger(status.code)) throw new TypeError('an answer without a status');
  writer.clear();
  if (dynamicMetadata) {
    const end = writer.length;
    putStruct(dynamicMetadata, 0);
    writer.closeMessage(4, end);
  }
  if (okResponse) {
    const end = writer.length;
    putStrings(8, okResponse.queryParametersToRemove);
    putParameters(7, okResponse.queryParametersToSet);
    putHeaders(6, okResponse.responseHeadersToAdd);
    putStrings(5, okResponse.headersToRemove);
    putHeaders(2, okResponse.headers);
    writer.closeMessage(3, end);
  }
  if (deniedResponse) {
    const end = writer.length;
    writer.string(3, deniedResponse.body);
    putHeaders(2, deniedResponse.headers);
    const code = writer.length;
    writer.varint(1, deniedResponse.status.code);
    writer.closeMessage(1, code);
    writer.closeMessage(2, end);
  }
  const end = writer.length;
  if (status.message !== undefined) writer.string(2, status.message);
  writer.varint(1, status.code);
  writer.closeMessage(1, end);
  return writer.finish();
}

function putStrings(field: number, texts: readonly string[]): void {
  for (let i = texts.length - 1; i >= 0; i--) writer.string(field, texts[i]!);
}

/** envoy.config.core.v3.QueryParameter */
function putParameters(field: number, parameters: readonly QueryParameter[]): void {
  for (let i = parameters.length - 1; i >= 0; i--) {
    const end = writer.length;
    putPair(parameters[i]!);
    writer.closeMessage(field, end);
  }
}

/** envoy.config.core.v3.HeaderValueOption */
function putHeaders(field: number, options: readonly HeaderOption[]): void {
  for (let i = options.length - 1; i >= 0; i--) {
    const { header, append, appendAction } = options[i]!;
    const end = writer.length;
    if (appendAction !== undefined) writer.varint(3, appendAction);
    if (append) {
      const value = writer.length;
      writer.varint(1, append.value ? 1 : 0);
      writer.closeMessage(2, value);
    }
    const pair = writer.length;
    putPair(header);
    writer.closeMessage(1, pair);
    writer.closeMessage(field, end);
  }
}

function putPair({ key, value }: QueryParameter): void {
  writer.string(2, value);
  writer.string(1, key);
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
function putStruct(object: object, depth: number): void {
  const entries = Object.entries(object);
  for (let i = entries.length - 1; i >= 0; i--) {
    const [name, member] = entries[i]!;
    if (member === undefined || depth >= MAX_DEPTH) continue;
    const end = writer.length;
    putValue(member, depth + 1);
    writer.closeMessage(2, end);
    writer.string(1, wellFormed(name));
    writer.closeMessage(1, end);
  }
}

/** google.protobuf.Value, without its length. What cannot be written is null, which keeps a list's places. */
function putValue(value: unknown, depth: number): void {
  if (typeof value === 'string') writer.string(3, wellFormed(value));
  else if (typeof value === 'number') writer.double(2, value);
  else if (typeof value === 'boolean') writer.varint(4, value ? 1 : 0);
  else if (value === null || value === undefined || depth > MAX_DEPTH) writer.varint(1, 0);
  else if (typeof value === 'bigint') writer.string(3, value.toString());
  else if (value instanceof ExactNumber) writer.string(3, value.text);
  else if (Array.isArray(value)) putList(value, depth);
  else if (typeof value === 'object') {
    const end = writer.length;
    putStruct(value, depth);
    writer.closeMessage(5, end);
  } else writer.string(3, wellFormed(String(value)));
}

/** google.protobuf.ListValue */
function putList(values: readonly unknown[], depth: number): void {
  const list = writer.length;
  for (let i = values.length - 1; i >= 0; i--) {
    const end = writer.length;
    putValue(values[i], depth + 1);
    writer.closeMessage(1, end);
  }
  writer.closeMessage(6, list);
}
