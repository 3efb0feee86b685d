import { createFileRegistry, fromBinary, toJson, type FileRegistry } from '@bufbuild/protobuf';
import { protoCamelCase } from '@bufbuild/protobuf/reflect';
import { type DescriptorProto, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { refuse, type Refusal } from '../errors/refusal.js';
import { shortenFloats } from './float32.js';

/** The services of a mesh, so that the messages of their methods can be read. */
export interface GrpcDescriptors {
  readonly registry: FileRegistry;
  /** {@link parseGrpc}: whoever has descriptors has what reads by them, and nobody else loads it. */
  parse(body: Uint8Array, path: readonly string[]): ReturnType<typeof parseGrpc>;
}

/** What became of a gRPC body. `unknown` is one that no descriptor tells how to read, or that is compressed. */
export type GrpcBody =
  { readonly kind: 'message'; readonly message: unknown } | { readonly kind: 'truncated' | 'unknown' };

/** The most that one message may have (bytes): gRPC's own limit where nobody sets another. */
const MOST_BYTES = 4 * 1024 * 1024;

/** A message's prefix: whether it is compressed (1 byte), and its length (4 bytes, big-endian). */
const PREFIX = 5;

/**
 * Reads a google.protobuf.FileDescriptorSet, as `protoc --include_imports --descriptor_set_out` and `buf build`
 * write it. The detail of a refusal says what is wrong with it.
 */
export function readDescriptors(bytes: Uint8Array): GrpcDescriptors | Refusal<'proto_descriptor_invalid'> {
  try {
    const set = fromBinary(FileDescriptorSetSchema, bytes);
    for (const { messageType } of set.file) messageType.forEach(nameFields);
    const registry = createFileRegistry(set);
    const parse: GrpcDescriptors['parse'] = (body, path) => parseGrpc(body, path, { registry });
    for (const type of registry) if (type.kind === 'service') return { registry, parse };
  } catch (error) {
    const { message } = error as Error;
    return refuse('proto_descriptor_invalid', `not a descriptor set with all its imports (${message})`);
  }
  return refuse('proto_descriptor_invalid', 'a descriptor set without any service');
}

/** protoc writes the JSON name of every field; not every other tool does. */
function nameFields({ field, nestedType }: DescriptorProto): void {
  for (const one of field) one.jsonName ||= protoCamelCase(one.name);
  nestedType.forEach(nameFields);
}

/**
 * The first message of a gRPC request (gRPC over HTTP/2, "Length-Prefixed-Message") by protobuf's JSON mapping,
 * as opa-envoy-plugin has it: 64-bit integers are text, enums their names, unset fields absent.
 *
 * A message of a client-streaming method is not read: it would not be all that the client sends.
 *
 * @param path the request's path in segments; a call's are its service and its method
 */
export function parseGrpc(
  body: Uint8Array,
  path: readonly string[],
  { registry }: Pick<GrpcDescriptors, 'registry'>,
): GrpcBody | Refusal<'request_malformed'> {
  const [service, name, ...more] = path;
  if (service === undefined || name === undefined || more.length > 0)
    return refuse('request_malformed', 'the path of a gRPC call is not /service/method');
  if (body.length < PREFIX) return refuse('request_malformed', 'a gRPC body shorter than its prefix');
  if (body[0] !== 0) return UNKNOWN;
  const length = new DataView(body.buffer, body.byteOffset).getUint32(1);
  if (length > body.length - PREFIX) return { kind: 'truncated' };
  const method = registry.getService(service)?.methods.find((one) => one.name === name);
  if (
    method === undefined ||
    method.methodKind === 'client_streaming' ||
    method.methodKind === 'bidi_streaming'
  )
    return UNKNOWN;
  if (length > MOST_BYTES)
    return refuse('request_malformed', `a gRPC message of more than ${MOST_BYTES} bytes`);
  try {
    const message = fromBinary(method.input, body.subarray(PREFIX, PREFIX + length), {
      readUnknownFields: false,
    });
    shortenFloats(method.input, message);
    return { kind: 'message', message: toJson(method.input, message, { registry }) };
  } catch {
    // What the libraries say may quote the message.
    return refuse('request_malformed', `the body is no ${method.input.typeName}`);
  }
}

const UNKNOWN: GrpcBody = { kind: 'unknown' };
