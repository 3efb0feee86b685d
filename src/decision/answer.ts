import type { WorkloadIdentity } from '../identity/types.js';
import type { HeaderPair, PolicyResult } from '../policy/types.js';
import type { VerifiedToken } from '../token/types.js';
import type { Allow, Deny } from './decision.js';
import type { RequestFacts } from './facts.js';
import { REASONS, type AnswerError, type ReasonCode } from './reasons.js';

/** Headers that the upstream may believe: only Countersign sets them, and a client's own never get through. */
export const ASSERTED = {
  spiffeId: 'x-countersign-spiffe-id',
  subject: 'x-countersign-subject',
  decisionId: 'x-countersign-decision-id',
} as const;

/** These names, and what an upstream that reads headers as CGI does takes for them (RFC 3875 section 4.1.18). */
const NEVER_THE_CLIENTS = Object.values(ASSERTED).flatMap((name) => [name, name.replaceAll('-', '_')]);

/** What an answer says of the one who asked. */
export interface Subject {
  readonly id: string;
  readonly reason: ReasonCode;
  readonly identity?: WorkloadIdentity | undefined;
  readonly token?: VerifiedToken | undefined;
  readonly policyRevision?: string | undefined;
}

/** The answer that lets a request through. */
export function allow(
  facts: RequestFacts,
  subject: Subject & { identity: WorkloadIdentity },
  result: PolicyResult,
): Allow {
  const asserted: HeaderPair[] = [
    [ASSERTED.spiffeId, subject.identity.spiffeId],
    [ASSERTED.decisionId, subject.id],
  ];
  if (subject.token) asserted.push([ASSERTED.subject, headerValue(subject.token.subject)]);
  const set = new Set(asserted.map(([name]) => name));
  // Envoy may be told to keep headers from us (`allowed_headers`): what we were not shown is removed as well.
  const others = [...NEVER_THE_CLIENTS, ...facts.forgedHeaders].filter((name) => !set.has(name));
  return {
    allowed: true,
    grpcStatus: REASONS.allowed.grpc,
    requestHeaders: [...result.headers, ...asserted],
    requestHeadersToRemove: [...result.requestHeadersToRemove, ...new Set(others)],
    responseHeadersToAdd: result.responseHeadersToAdd,
    queryParametersToSet: result.queryParametersToSet,
    queryParametersToRemove: result.queryParametersToRemove,
    dynamicMetadata: metadata('allow', subject, result),
  };
}

/** The answer that stops a request; `result` is the policy's, where a policy was what denied it. */
export function deny(subject: Subject, result?: PolicyResult): Deny {
  const reason = REASONS[subject.reason];
  const headers: HeaderPair[] = [];
  const bearer = challenge(reason.error, result);
  if (bearer !== undefined) headers.push(['www-authenticate', bearer]);
  if (result) headers.push(...result.headers);
  const body = result?.body ?? errorBody(subject);
  if (result?.body === undefined && !headers.some(([name]) => name.toLowerCase() === 'content-type'))
    headers.push(['content-type', 'application/json']);
  headers.push([ASSERTED.decisionId, subject.id]);
  return {
    allowed: false,
    grpcStatus: reason.grpc,
    httpStatus: result?.httpStatus ?? reason.http,
    headers,
    body,
    dynamicMetadata: metadata('deny', subject, result),
  };
}

/**
 * Names the error, the code and the decision, and nothing else: what is wrong in particular stands in the
 * operator's log under the same id.
 */
function errorBody({ id, reason }: Subject): string {
  return JSON.stringify({ error: REASONS[reason].error, reason, decision_id: id });
}

/** The `WWW-Authenticate` value of RFC 6750 section 3, where the error is one of its kind. */
function challenge(error: AnswerError, result: PolicyResult | undefined): string | undefined {
  const realm = 'Bearer realm="countersign"';
  switch (error) {
    case 'unauthorized':
      return realm;
    case 'invalid_request':
    case 'invalid_token':
      return `${realm}, error="${error}"`;
    case 'insufficient_scope': {
      const scopes = result?.requiredScopes.filter((scope) => SCOPE_TOKEN.test(scope)) ?? [];
      return `${realm}, error="${error}"${scopes.length > 0 ? `, scope="${scopes.join(' ')}"` : ''}`;
    }
    default:
      return undefined;
  }
}

/** RFC 6749 appendix A.4: what a scope may consist of, and so what may stand between the quotes. */
const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

/** Envoy files this under the ext_authz filter's name, for its access log and later filters. */
function metadata(
  outcome: 'allow' | 'deny',
  subject: Subject,
  result: PolicyResult | undefined,
): { readonly [name: string]: unknown } {
  return {
    ...result?.dynamicMetadata,
    countersign: {
      decision_id: subject.id,
      outcome,
      reason: subject.reason,
      ...(subject.identity && { spiffe_id: subject.identity.spiffeId }),
      ...(subject.token && { issuer: subject.token.issuer, subject: subject.token.subject }),
      ...(subject.token?.clientId !== undefined && { client_id: subject.token.clientId }),
      ...(subject.policyRevision !== undefined && { policy_revision: subject.policyRevision }),
      ...(result?.reason !== undefined && { policy_reason: result.reason }),
    },
  };
}

/**
 * A subject is any string (RFC 7519 section 2, StringOrURI); a header value is not. What is not visible
 * ASCII is percent-encoded as UTF-8, and so is `%` itself, which keeps two subjects from looking alike.
 */
export function headerValue(text: string): string {
  if (/^[\x21-\x24\x26-\x7e]*$/.test(text)) return text;
  let out = '';
  for (const byte of Buffer.from(text, 'utf8')) {
    const plain = byte > 0x20 && byte < 0x7f && byte !== 0x25;
    out += plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return out;
}
