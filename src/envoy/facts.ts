import type { RequestCode, RequestFacts } from '../decision/facts.js';
import { isRefusal, refuse, type Refusal } from '../errors/refusal.js';
import type { GrpcDescriptors } from './grpc-body.js';
import { readHeaders } from './headers.js';
import { opaInput } from './input.js';
import type { CheckRequest, HttpRequest } from './messages.js';
import { readPath, type RequestPath } from './path.js';

/**
 * Headers of this prefix are Countersign's to set: nobody else's may reach the upstream. With underscores they
 * are other headers to Envoy, and the same ones to an upstream that reads them as CGI does (RFC 3875
 * section 4.1.18).
 */
const OURS = 'x-countersign-';
/** Nearly every name is told by its beginning alone. */
const MAY_BE_OURS = /^x[-_]countersign/i;

/**
 * Each one is removed, and Envoy answers 500 to more than 100 header mutations: a client must not be able to
 * use up those of a policy.
 */
const MOST_FORGED = 3;

/** A connection of the network filter asks for nothing in particular. */
const NO_PATH: RequestPath = { path: '', rawPath: '', query: '' };

/**
 * One envoy.service.auth.v3.CheckRequest in the words of the pipeline. Never throws for one that was decoded
 * from protobuf. The peer is told by certificate and principal alone: `source.service` comes from a header.
 *
 * Refused are paths of more than one meaning (`path_refused`), and a query or body that is not what it
 * claims to be (`request_malformed`).
 *
 * @param descriptors of the gRPC services whose messages a policy may see
 */
export function toFacts(
  request: CheckRequest,
  descriptors?: GrpcDescriptors,
): RequestFacts | Refusal<RequestCode> {
  const attributes = request.attributes ?? {};
  const http = attributes.request?.http ?? undefined;
  const headers = readHeaders(http ?? {});
  const target = http ? requestPath(http) : NO_PATH;
  if (isRefusal(target)) return target;
  const envoyInput = opaInput(attributes, headers, target, descriptors);
  if (isRefusal(envoyInput)) return envoyInput;
  const forgedHeaders = forgedOf(headers.names());
  if (forgedHeaders.length > MOST_FORGED)
    return refuse('request_malformed', `more than ${MOST_FORGED} ${OURS}* headers`);
  const header = (name: string) => headers.values(name);
  const facts: { -readonly [name in keyof RequestFacts]: RequestFacts[name] } = {
    peer: {
      certificate: attributes.source?.certificate ?? '',
      principal: attributes.source?.principal ?? '',
      forwardedClientCert: headers.values('x-forwarded-client-cert'),
      header,
      path: target.rawPath,
    },
    destination: attributes.destination?.principal ?? '',
    authorization: headers.values('authorization'),
    header,
    route: attributes.contextExtensions ?? {},
    forgedHeaders,
    envoyInput,
  };
  if (http)
    facts.http = {
      method: http.method ?? '',
      path: target.path,
      rawPath: target.rawPath,
      query: target.query,
      host: http.host ?? '',
      scheme: http.scheme ?? '',
    };
  return facts;
}

function forgedOf(names: readonly string[]): readonly string[] {
  const forged = names.filter((name) => MAY_BE_OURS.test(name)).map((name) => name.toLowerCase());
  if (forged.length === 0) return forged;
  return [...new Set(forged.filter((name) => name.replaceAll('_', '-').startsWith(OURS)))];
}

/**
 * As much of the policy's input as tells whose request it was and what it asked for, for one of which there
 * are no facts.
 */
export function traceOf({ attributes }: CheckRequest): { readonly attributes: object } {
  const { address, principal } = attributes?.source ?? {};
  const { id, method, host, path, scheme, headers } = attributes?.request?.http ?? {};
  return {
    attributes: {
      source: { address, principal },
      request: { http: { id, method, host, path, scheme, headers } },
    },
  };
}

/** RFC 9112 section 3.2: `*` asks for OPTIONS of the server as a whole, and only CONNECT has no path. */
function requestPath({ method, path }: HttpRequest): RequestPath | Refusal<'path_refused'> {
  const target = readPath(path ?? '');
  if (isRefusal(target)) return target;
  if (target.rawPath === '' && method !== 'CONNECT') return refuse('path_refused', 'no path');
  if (target.rawPath === '*' && method !== 'OPTIONS') return refuse('path_refused', '* is for OPTIONS alone');
  return target;
}
