import { fileURLToPath } from 'node:url';
import { loadPackageDefinition, type ServiceDefinition } from '@grpc/grpc-js';
import { loadSync, type Options } from '@grpc/proto-loader';

/** The same from src/server and from dist/server. */
const PROTO = fileURLToPath(new URL('../../proto/', import.meta.url));

const FILE = 'envoy/service/auth/v3/external_auth.proto';

/**
 * How messages look in JavaScript: protobuf's JSON names, numbers for int64 (no field of ext_authz holds one
 * near 2^53) and for enums, Buffers for bytes, and only what was on the wire.
 */
const SHAPE: Options = { longs: Number, enums: Number };

interface Loaded {
  envoy: { service: { auth: { v3: { Authorization: { service: ServiceDefinition } } } } };
}

const { service } = (
  loadPackageDefinition(loadSync(FILE, { ...SHAPE, includeDirs: [PROTO] })) as unknown as Loaded
).envoy.service.auth.v3.Authorization;

/**
 * `envoy.service.auth.v3.Authorization`, from proto/, for clients. Its messages are typed in src/envoy/messages.ts. The
 * server reads and writes them by itself: src/envoy/decode-request.ts, src/envoy/encode-response.ts.
 */
export const authorizationService: ServiceDefinition = service;
