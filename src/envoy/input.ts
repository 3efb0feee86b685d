import { isRefusal, refuse, type Refusal } from '../errors/refusal.js';
import { bodyText, readBody } from './body.js';
import type { GrpcDescriptors } from './grpc-body.js';
import type { Headers } from './headers.js';
import type { Attributes, HttpRequest, Metadata } from './messages.js';
import { percentDecode } from './percent.js';
import { fromStruct } from './struct.js';
import { parseUrlencoded } from './urlencoded.js';

const VERSION = { ext_authz: 'v3', encoding: 'protojson' };

/**
 * The policy input's part that OPA-Envoy defines, under its names: `attributes` by protobuf's JSON names,
 * `parsed_path`, `parsed_query`, `parsed_body`, `truncated_body`, `version`, `source_principal`.
 *
 * It differs from OPA-Envoy's on purpose in three places: `parsed_path` is taken from the canonical path (the
 * same for every path that was canonical already); headers and a body that came as bytes are there as text
 * too, so that a policy need not know how Envoy was configured; a JSON body with a repeated member is refused.
 *
 * What has the right shape already is handed over, not copied.
 *
 * @param headers those of `attributes.request.http`
 * @param target canonical path and query; those of a TCP connection are empty
 * @param descriptors of the services whose messages a policy may see
 */
export function opaInput(
  attributes: Attributes,
  headers: Headers,
  target: { readonly path: string; readonly query: string },
  descriptors?: GrpcDescriptors,
): { readonly [name: string]: unknown } | Refusal<'request_malformed'> {
  const query = parseUrlencoded(target.query);
  if (query === undefined) return refuse('request_malformed', 'the query is malformed');
  const path = percentDecode(target.path)!.split('/');
  if (path.length > 1 && path[0] === '') path.shift();
  const body = readBody(attributes.request?.http ?? {}, headers, descriptors && { path, descriptors });
  if (isRefusal(body)) return body;
  const principal = attributes.source?.principal;
  const input: { [name: string]: unknown } = {
    attributes: attributesInput(attributes, headers),
    parsed_path: path,
    parsed_query: query,
    parsed_body: body.parsed_body,
    truncated_body: body.truncated_body,
    version: VERSION,
  };
  if (principal) input.source_principal = principal;
  return input;
}

function attributesInput(attributes: Attributes, headers: Headers): object {
  const { request, metadataContext, routeMetadataContext } = attributes;
  const http = request?.http;
  if (!http?.headerMap && !http?.rawBody && isEmpty(metadataContext) && isEmpty(routeMetadataContext))
    return attributes;
  return {
    ...attributes,
    ...((http?.headerMap || http?.rawBody) && { request: { ...request, http: httpInput(http, headers) } }),
    ...(metadataContext && { metadataContext: metadataInput(metadataContext) }),
    ...(routeMetadataContext && { routeMetadataContext: metadataInput(routeMetadataContext) }),
  };
}

/** Bytes are base64, as protobuf's JSON mapping has them, and beside them the text they stand for. */
function httpInput(http: HttpRequest, headers: Headers): object {
  const lines = http.headerMap?.headers?.map((line) => ({
    ...line,
    ...(line.rawValue && { rawValue: line.rawValue.toString('base64') }),
  }));
  return {
    ...http,
    ...(http.headerMap && { headers: joined(headers), headerMap: lines ? { headers: lines } : {} }),
    ...(http.rawBody && { body: bodyText(http), rawBody: http.rawBody.toString('base64') }),
  };
}

/** As Envoy writes `headers`: repeated lines in one, with a comma between them. */
function joined(headers: Headers): object {
  return Object.fromEntries(headers.names().map((name) => [name, headers.values(name).join(',')]));
}

function isEmpty(metadata: Metadata | null | undefined): boolean {
  return !metadata?.filterMetadata && !metadata?.typedFilterMetadata;
}

function metadataInput({ filterMetadata, typedFilterMetadata }: Metadata): object {
  return {
    ...(filterMetadata && { filterMetadata: mapValues(filterMetadata, fromStruct) }),
    ...(typedFilterMetadata && {
      typedFilterMetadata: mapValues(typedFilterMetadata, ({ type_url: typeUrl, value }) => ({
        ...(typeUrl && { typeUrl }),
        ...(value && { value: value.toString('base64') }),
      })),
    }),
  };
}

function mapValues<T>(from: { readonly [name: string]: T }, map: (value: T) => unknown): object {
  return Object.fromEntries(Object.entries(from).map(([name, value]) => [name, map(value)]));
}
