import { isRefusal, refuse, type Refusal } from '../errors/refusal.js';
import { parseExact } from '../json/exact.js';
import type { GrpcDescriptors } from './grpc-body.js';
import type { Headers } from './headers.js';
import type { HttpRequest } from './messages.js';
import { parseMultipart } from './multipart.js';
import { parseParameters } from './parameters.js';
import { sanitizedUtf8 } from './text.js';
import { parseUrlencoded } from './urlencoded.js';

/** What OPA-Envoy says of the body. */
export interface BodyInput {
  /** Null where there is none, where it is truncated, and where its media type is not one that is parsed. */
  readonly parsed_body: unknown;
  /** Whether Envoy forwarded less than the client sent. */
  readonly truncated_body: boolean;
}

/** What it takes to read the message of a gRPC call. */
export interface GrpcCall {
  /** The request's path in segments. */
  readonly path: readonly string[];
  readonly descriptors: GrpcDescriptors;
}

/**
 * Parses the body that Envoy was told to buffer (`with_request_body`): JSON, forms of both kinds, and gRPC
 * messages where there are descriptors of them and the body came as bytes (`pack_as_bytes`).
 *
 * Refused is a body that is not of the type it claims, and JSON that repeats a member: the upstream may take
 * the other one.
 */
export function readBody(
  http: HttpRequest,
  headers: Headers,
  grpc?: GrpcCall,
): BodyInput | Refusal<'request_malformed'> {
  const header = (name: string) => headers.values(name).join(',');
  if (header('x-envoy-auth-partial-body') === 'true') return TRUNCATED;
  const type = header('content-type');
  if (type.replace(QUOTED, '').includes(',')) return malformed('more than one content-type');
  const mediaType = type.split(';', 1)[0]!.trim().toLowerCase();
  if (GRPC.has(mediaType)) return grpc && http.rawBody?.length ? readGrpc(http.rawBody, grpc) : NONE;
  const parse = PARSERS.get(mediaType);
  if (parse === undefined) return NONE;
  const text = bodyText(http);
  if (text === '') return NONE;
  // What the upstream will see is not what is here: as good as cut off.
  if (!/^(?:identity)?$/i.test(header('content-encoding'))) return TRUNCATED;

  const length = header('content-length');
  if (length !== '') {
    if (!/^[+-]?[0-9]{1,18}$/.test(length)) return malformed('content-length is not a number');
    if (Number(length) > Buffer.byteLength(text)) return TRUNCATED;
  }
  return parse(text, type);
}

/** The body as text, whether Envoy sent it as text or as bytes (`pack_as_bytes`); empty when there is none. */
export function bodyText(http: HttpRequest): string {
  return http.body || (http.rawBody ? sanitizedUtf8(http.rawBody) : '');
}

const NONE: BodyInput = { parsed_body: null, truncated_body: false };
const TRUNCATED: BodyInput = { parsed_body: null, truncated_body: true };

type Parse = (text: string, contentType: string) => BodyInput | Refusal<'request_malformed'>;

const QUOTED = /"(?:[^"\\]|\\.)*"/g;

/**
 * By media type, the whole of it. (OPA-Envoy takes one that occurs anywhere in Content-Type, so that a client
 * could name one type to the policy and another one to the upstream.)
 */
const PARSERS: ReadonlyMap<string, Parse> = new Map<string, Parse>([
  ['application/json', parseJson],
  ['application/x-www-form-urlencoded', (text) => parsed(parseUrlencoded(text))],
  ['multipart/form-data', parseForm],
]);

/** Those whose messages are protobuf; gRPC-Web frames them in the same way. */
const GRPC = new Set([
  'application/grpc',
  'application/grpc+proto',
  'application/grpc-web',
  'application/grpc-web+proto',
]);

function readGrpc(body: Buffer, { path, descriptors }: GrpcCall): BodyInput | Refusal<'request_malformed'> {
  const read = descriptors.parse(body, path);
  if (isRefusal(read)) return read;
  if (read.kind === 'message') return { parsed_body: read.message, truncated_body: false };
  return read.kind === 'truncated' ? TRUNCATED : NONE;
}

function parseJson(text: string): BodyInput | Refusal<'request_malformed'> {
  try {
    return { parsed_body: parseExact(text), truncated_body: false };
  } catch (error) {
    // The parser's messages give offsets and never quote the text.
    return malformed(`the body is not JSON: ${(error as SyntaxError).message}`);
  }
}

function parseForm(text: string, contentType: string): BodyInput | Refusal<'request_malformed'> {
  const parameters = parseParameters(contentType)?.parameters;
  if (parameters === undefined) return malformed('content-type has malformed parameters');
  const boundary = parameters.get('boundary');
  return boundary === undefined ? NONE : parsed(parseMultipart(text, boundary));
}

function parsed(form: object | undefined): BodyInput | Refusal<'request_malformed'> {
  return form === undefined
    ? malformed('the body is not the form it claims to be')
    : { parsed_body: form, truncated_body: false };
}

function malformed(detail: string): Refusal<'request_malformed'> {
  return refuse('request_malformed', detail);
}
