import type { Allow, Decision, Deny } from '../decision/decision.js';
import type { DeniedResponse, HeaderOption, OkResponse, OutgoingCheckResponse } from './messages.js';
import { percentEncode } from './percent.js';
import { wellFormed } from './text.js';

/**
 * One decision as envoy.service.auth.v3.CheckResponse, with an explicit status always: Envoy takes an answer
 * without one for an allow.
 */
export function toCheckResponse({ answer, reason }: Decision): OutgoingCheckResponse {
  const { dynamicMetadata } = answer;
  if (answer.allowed)
    return { status: { code: OK, message: reason }, okResponse: okResponse(answer), dynamicMetadata };
  return {
    // Code 0 would allow, whatever else the answer says.
    status: { code: answer.grpcStatus === OK ? PERMISSION_DENIED : answer.grpcStatus, message: reason },
    deniedResponse: deniedResponse(answer),
    dynamicMetadata,
  };
}

/** google.rpc.Code */
const OK = 0;
const PERMISSION_DENIED = 7;

/** envoy.config.core.v3.HeaderValueOption.HeaderAppendAction */
const APPEND_IF_EXISTS_OR_ADD = 0;
const OVERWRITE_IF_EXISTS_OR_ADD = 2;

function okResponse(answer: Allow): OkResponse {
  const removed = new Set(answer.requestHeadersToRemove.map((name) => name.toLowerCase()));
  return {
    headers: overwriting(answer.requestHeaders).filter(({ header }) => !removed.has(header.key)),
    headersToRemove: [...removed],
    responseHeadersToAdd: answer.responseHeadersToAdd.map(adding),
    ...queryMutations(answer),
  };
}

function deniedResponse(answer: Deny): DeniedResponse {
  // Envoy sends any status to the client, a 200 too.
  const sendable = answer.httpStatus >= 300 && answer.httpStatus <= 599;
  return {
    status: { code: sendable ? answer.httpStatus : 403 },
    headers: answer.headers.map(adding),
    body: wellFormed(answer.body),
  };
}

/**
 * Headers that replace the client's. Of several under one name the last one counts: Envoy applies them one
 * after the other, and each replaces the one before. Up to 1.37 Envoy obeys `append_action`, 1.40 `append`
 * alone, so each says both.
 */
function overwriting(headers: Allow['requestHeaders']): HeaderOption[] {
  const last = new Map(headers.map(([name, value]) => [name.toLowerCase(), value]));
  return Array.from(last, ([key, value]) => ({
    header: { key, value: wellFormed(value) },
    append: { value: false },
    appendAction: OVERWRITE_IF_EXISTS_OR_ADD,
  }));
}

/**
 * A header of the answer to the client, beside others of its name. `append` stays unset: Envoy 1.40 drops an
 * entry of a denial that sets it.
 */
function adding([key, value]: Deny['headers'][number]): HeaderOption {
  return {
    header: { key, value: wellFormed(value) },
    appendAction: APPEND_IF_EXISTS_OR_ADD,
  };
}

/**
 * Envoy puts names and values into the query as they are, and compares names as they are spelt. So what is
 * set is percent-encoded here, and what is removed is named in both spellings; a parameter that is set in
 * one spelling is removed in the other (Envoy removes after it has set).
 */
function queryMutations(answer: Allow): Pick<OkResponse, 'queryParametersToSet' | 'queryParametersToRemove'> {
  const set = answer.queryParametersToSet.map(([name, value]) => ({
    key: encode(name),
    value: encode(value),
  }));
  const removed = answer.queryParametersToRemove.flatMap((name) => [wellFormed(name), encode(name)]);
  const respelt = answer.queryParametersToSet
    .map(([name]) => wellFormed(name))
    .filter((n) => n !== encode(n));
  return { queryParametersToSet: set, queryParametersToRemove: [...new Set([...removed, ...respelt])] };
}

/** RFC 3986 section 2.3: everything but unreserved characters. */
function encode(text: string): string {
  return text.replace(/[^A-Za-z0-9\-._~]+/g, percentEncode);
}
