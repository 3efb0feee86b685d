import type { CheckResponse, HeaderOption } from '../../src/envoy/messages.js';
import { fromStruct } from '../../src/envoy/struct.js';
import { parseExact } from '../../src/json/exact.js';

/** What one server made of a CheckRequest, without the differences that are part of every answer. */
export interface Answer {
  readonly code: number;
  readonly headers: readonly string[];
  readonly headersToRemove: readonly string[];
  readonly responseHeaders: readonly string[];
  readonly queryToSet: readonly string[];
  readonly queryToRemove: readonly string[];
  readonly httpStatus?: number;
  /** Parsed, where it is JSON. */
  readonly body?: unknown;
  readonly metadata: object;
}

/** A call that was answered with a gRPC error instead of a CheckResponse. */
export interface CallError {
  readonly callError: number;
}

/** Difference "own headers". */
const isOwn = (name: string) => name.replaceAll('_', '-').startsWith('x-countersign-');

export function answerOf(response: CheckResponse): Answer {
  const { okResponse: ok, deniedResponse: denied, status } = response;
  const common = { code: status.code ?? 0, metadata: metadataOf(response) };
  if (common.code === 0)
    return {
      ...common,
      headers: overwriting(ok?.headers ?? []),
      headersToRemove: sorted(ok?.headersToRemove ?? []).filter((name) => !isOwn(name)),
      responseHeaders: adding(ok?.responseHeadersToAdd ?? []),
      queryToSet: (ok?.queryParametersToSet ?? []).map(({ key, value }) => `${key}=${value}`).sort(),
      queryToRemove: [...(ok?.queryParametersToRemove ?? [])].sort(),
    };
  // Difference "explicit answer": Envoy's own denial is a 403 without a body.
  const own = isOwnBody(denied?.body ?? '');
  return {
    ...common,
    headers: adding(denied?.headers ?? []).filter((line) => !(own && line.startsWith('content-type: '))),
    headersToRemove: [],
    responseHeaders: [],
    queryToSet: [],
    queryToRemove: [],
    httpStatus: denied?.status.code ?? 403,
    body: own ? '' : parsed(denied?.body ?? ''),
  };
}

/** Difference "metadata". */
function metadataOf({ dynamicMetadata }: CheckResponse): object {
  const all = dynamicMetadata ? fromStruct(dynamicMetadata) : {};
  const { decision_id: _theirs, countersign: _ours, ...rest } = all;
  return rest;
}

/** Difference "header overwrites": the last one of a name counts. */
function overwriting(headers: readonly HeaderOption[]): string[] {
  const last = new Map(headers.map(({ header }) => [header.key.toLowerCase(), header.value]));
  return sorted([...last].filter(([name]) => !isOwn(name)).map(([name, value]) => `${name}: ${value}`));
}

function adding(headers: readonly HeaderOption[]): string[] {
  const named = headers.map(({ header }) => [header.key.toLowerCase(), header.value] as const);
  return sorted(named.filter(([name]) => !isOwn(name)).map(([name, value]) => `${name}: ${value}`));
}

function sorted(names: readonly string[]): string[] {
  return names.map((name) => name.toLowerCase()).sort();
}

function isOwnBody(body: string): boolean {
  const value = parsed(body);
  return typeof value === 'object' && value !== null && 'decision_id' in value && 'reason' in value;
}

function parsed(body: string): unknown {
  try {
    return parseExact(body);
  } catch {
    return body;
  }
}
