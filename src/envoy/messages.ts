/**
 * The messages of envoy.service.auth.v3 as src/envoy/decode-request.ts makes them of their bytes, and as
 * @grpc/proto-loader hands them over and takes them (src/server/proto.ts): JSON names, and every field absent
 * that was not on the wire.
 */

export interface CheckRequest {
  readonly attributes?: Attributes | null;
}

/** envoy.service.auth.v3.AttributeContext */
export interface Attributes {
  readonly source?: Peer | null;
  readonly destination?: Peer | null;
  readonly request?: { readonly time?: Timestamp | null; readonly http?: HttpRequest | null } | null;
  readonly contextExtensions?: { readonly [name: string]: string };
  readonly metadataContext?: Metadata | null;
  readonly routeMetadataContext?: Metadata | null;
  readonly tlsSession?: { readonly sni?: string } | null;
}

export interface Timestamp {
  readonly seconds?: number;
  readonly nanos?: number;
}

/** envoy.service.auth.v3.AttributeContext.Peer */
export interface Peer {
  readonly address?: Address | null;
  readonly service?: string;
  readonly labels?: { readonly [name: string]: string };
  readonly principal?: string;
  readonly certificate?: string;
}

/** envoy.config.core.v3.Address */
export interface Address {
  readonly socketAddress?: {
    readonly protocol?: number;
    readonly address?: string;
    readonly portValue?: number;
    readonly namedPort?: string;
    readonly resolverName?: string;
    readonly ipv4Compat?: boolean;
    readonly networkNamespaceFilepath?: string;
  } | null;
  readonly pipe?: { readonly path?: string; readonly mode?: number } | null;
  readonly envoyInternalAddress?: {
    readonly serverListenerName?: string;
    readonly endpointId?: string;
  } | null;
}

/** envoy.service.auth.v3.AttributeContext.HttpRequest */
export interface HttpRequest {
  readonly id?: string;
  readonly method?: string;
  readonly headers?: { readonly [name: string]: string };
  readonly headerMap?: { readonly headers?: readonly HeaderValue[] } | null;
  readonly path?: string;
  readonly host?: string;
  readonly scheme?: string;
  readonly query?: string;
  readonly fragment?: string;
  readonly size?: number;
  readonly protocol?: string;
  readonly body?: string;
  readonly rawBody?: Buffer;
}

/** envoy.config.core.v3.HeaderValue; Envoy fills `rawValue` where `encode_raw_headers` is on. */
export interface HeaderValue {
  readonly key?: string;
  readonly value?: string;
  readonly rawValue?: Buffer;
}

/** envoy.config.core.v3.Metadata */
export interface Metadata {
  readonly filterMetadata?: { readonly [name: string]: Struct };
  readonly typedFilterMetadata?: {
    /** protobufjs spells this one field of google.protobuf.Any as the .proto file does. */
    readonly [name: string]: { readonly type_url?: string; readonly value?: Buffer };
  };
}

/** google.protobuf.Struct, field by field: proto-loader knows no plain form of it. */
export interface Struct {
  readonly fields?: { readonly [name: string]: StructValue };
}

/** google.protobuf.Value: exactly one of these. */
export interface StructValue {
  readonly nullValue?: number;
  readonly numberValue?: number;
  readonly stringValue?: string;
  readonly boolValue?: boolean;
  readonly structValue?: Struct;
  readonly listValue?: { readonly values?: readonly StructValue[] };
}

export interface CheckResponse {
  /** google.rpc.Status: 0 allows. Its absence allows as well, which is why it is not optional here. */
  readonly status: { readonly code: number; readonly message?: string };
  readonly deniedResponse?: DeniedResponse;
  readonly okResponse?: OkResponse;
  readonly dynamicMetadata?: Struct;
}

/** envoy.service.auth.v3.DeniedHttpResponse */
export interface DeniedResponse {
  readonly status: { readonly code: number };
  readonly headers: readonly HeaderOption[];
  readonly body: string;
}

/** envoy.service.auth.v3.OkHttpResponse */
export interface OkResponse {
  readonly headers: readonly HeaderOption[];
  readonly headersToRemove: readonly string[];
  readonly responseHeadersToAdd: readonly HeaderOption[];
  readonly queryParametersToSet: readonly QueryParameter[];
  readonly queryParametersToRemove: readonly string[];
}

/** envoy.config.core.v3.QueryParameter */
export interface QueryParameter {
  readonly key: string;
  readonly value: string;
}

/** A CheckResponse on its way out: its metadata is JSON still, which src/envoy/encode-response.ts writes as a Struct. */
export interface OutgoingCheckResponse extends Omit<CheckResponse, 'dynamicMetadata'> {
  readonly dynamicMetadata?: { readonly [name: string]: unknown };
}

/** envoy.config.core.v3.HeaderValueOption, without `raw_value`: Envoy ignores it in answers. */
export interface HeaderOption {
  readonly header: QueryParameter;
  readonly append?: { readonly value: boolean };
  readonly appendAction?: number;
}
