import type { UpstreamToken } from '../broker/types.js';
import type { WorkloadIdentity } from '../identity/types.js';
import type { HeaderPair, PolicyResult } from '../policy/types.js';
import type { VerifiedToken } from '../token/types.js';
import type { Allow, Deny } from './decision.js';
import type { RequestFacts } from './facts.js';
import { challenges, type Challenge } from './challenge.js';
import { REASONS, type ReasonCode } from './reasons.js';

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
  /** How a denial tells the client what would do. */
  readonly challenge?: Challenge | undefined;
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

/**
 * The same, with a token for the upstream in place of whatever stood under its header's name. Where it takes the place of
 * the caller's access token, the proof of that one goes as well.
 */
export function withUpstreamToken(answer: Allow, token: UpstreamToken | undefined): Allow {
  if (token === undefined) return answer;
  const { header, value } = token;
  const others = answer.requestHeadersToRemove.filter((name) => name.toLowerCase() !== header);
  return {
    ...answer,
    requestHeaders: [...answer.requestHeaders, [header, value]],
    requestHeadersToRemove: header === 'authorization' ? [...others, 'dpop'] : others,
  };
}

/** The answer that stops a request; `result` is the policy's, where a policy was what denied it. */
export function deny(subject: Subject, result?: PolicyResult): Deny {
  const reason = REASONS[subject.reason];
  const headers: HeaderPair[] = challenges(reason.error, subject.challenge, result);
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
