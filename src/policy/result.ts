import { refuse, type Refusal } from '../errors/refusal.js';
import type { HeaderPair, PolicyResult, StepUp, UpstreamTokenWish } from './types.js';

export interface ReadResultOptions {
  /** Lets `headers` hold `:path`, `:authority` and `host`. Default false. */
  readonly allowRequestTargetRewrite?: boolean;
}

type Invalid = Refusal<'policy_result_invalid'>;

/** Envoy answers 500 to more than 100 header mutations; the answer adds some of its own. */
const MOST_MUTATIONS = 90;

/**
 * Reads what an entrypoint came to: a boolean, or opa-envoy-plugin's object with `reason`, `reasons` and
 * `required_scopes` beside. Keys that are not known are left alone, since policies written for OPA-Envoy
 * return more; a known key with a value of the wrong kind refuses the whole result, and nothing of it is
 * applied. A detail names the key, never a value.
 */
export function readResult(value: unknown, options: ReadResultOptions = {}): PolicyResult | Invalid {
  if (typeof value === 'boolean') return { ...EMPTY, allowed: value };
  if (!isObject(value)) return invalid('the result is neither a boolean nor an object');
  if (typeof value.allowed !== 'boolean') return invalid('allowed is not a boolean');
  try {
    return readObject(value, value.allowed, options);
  } catch (error) {
    if (error instanceof InvalidResult) return invalid(error.message);
    throw error;
  }
}

const EMPTY = {
  headers: [],
  responseHeadersToAdd: [],
  requestHeadersToRemove: [],
  queryParametersToSet: [],
  queryParametersToRemove: [],
  reasons: [],
  requiredScopes: [],
};

/** Ends the reading of one result; caught in {@link readResult}, where it becomes a refusal. */
class InvalidResult extends Error {}

interface RawResult {
  readonly [key: string]: unknown;
}

function invalid(detail: string): Invalid {
  return refuse('policy_result_invalid', detail);
}

function readObject(result: RawResult, allowed: boolean, options: ReadResultOptions): PolicyResult {
  const headers = readHeaders(result, 'headers', allowed && options.allowRequestTargetRewrite === true);
  const responseHeadersToAdd = readHeaders(result, 'response_headers_to_add', false);
  const requestHeadersToRemove = readNames(result, 'request_headers_to_remove');
  if (headers.length + responseHeadersToAdd.length + requestHeadersToRemove.length > MOST_MUTATIONS)
    throw new InvalidResult(`more than ${MOST_MUTATIONS} header mutations`);
  const body = readString(result, 'body');
  const httpStatus = allowed ? undefined : readStatus(result);
  const dynamicMetadata = readMetadata(result);
  const reason = readString(result, 'reason');
  const stepUp = readStepUp(result);
  const upstreamToken = readUpstreamToken(result);
  return {
    allowed,
    headers,
    responseHeadersToAdd,
    requestHeadersToRemove,
    queryParametersToSet: pairs('query_parameters_to_set', result.query_parameters_to_set),
    queryParametersToRemove: readStrings(result, 'query_parameters_to_remove'),
    ...(body !== undefined && { body }),
    ...(httpStatus !== undefined && { httpStatus }),
    ...(dynamicMetadata !== undefined && { dynamicMetadata }),
    ...(reason !== undefined && { reason }),
    reasons: readStrings(result, 'reasons'),
    requiredScopes: readScopes(result),
    ...(stepUp !== undefined && { stepUp }),
    ...(upstreamToken !== undefined && { upstreamToken }),
  };
}

/** An object of names with a value or an array of values each, or an array of such objects. */
function readHeaders(result: RawResult, key: string, targetMayChange: boolean): HeaderPair[] {
  const value = result[key];
  const all = Array.isArray(value)
    ? value.flatMap((item, index) => pairs(`${key}[${index}]`, item ?? null))
    : pairs(key, value);
  for (const [name, text] of all) checkHeader(key, name, text, targetMayChange);
  return all;
}

function pairs(key: string, value: unknown): HeaderPair[] {
  if (value === undefined) return [];
  if (!isObject(value)) throw new InvalidResult(`${key} is not an object`);
  return Object.entries(value).flatMap(([name, one]) => {
    const values: unknown[] = Array.isArray(one) ? one : [one];
    return values.map((text): HeaderPair => {
      if (typeof text !== 'string') throw new InvalidResult(`${key}: ${quote(name)} is not a string`);
      return [name, text];
    });
  });
}

/** RFC 9110 section 5.1; Envoy's pseudo-headers begin with a colon besides. */
const HEADER_NAME = /^:?[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
// eslint-disable-next-line no-control-regex -- RFC 9110 section 5.5: no control character but the tab
const HEADER_VALUE = /^[^\u0000-\u0008\u000a-\u001f\u007f]*$/;

function checkHeader(key: string, name: string, value: string, targetMayChange: boolean): void {
  const lower = name.toLowerCase();
  if (!HEADER_NAME.test(name)) throw new InvalidResult(`${key}: ${quote(name)} is not a header name`);
  if (!HEADER_VALUE.test(value))
    throw new InvalidResult(`${key}: the value of ${quote(name)} holds a control character`);
  if (lower.replaceAll('_', '-').startsWith('x-countersign-'))
    throw new InvalidResult(`${key}: ${quote(name)} is for Countersign alone to set`);
  if ((lower.startsWith(':') || lower === 'host') && !targetMayChange)
    throw new InvalidResult(
      `${key}: ${quote(name)} would change the request's target (policy.allow_request_target_rewrite)`,
    );
}

function readNames(result: RawResult, key: string): string[] {
  const names = readStrings(result, key);
  for (const name of names)
    if (!HEADER_NAME.test(name)) throw new InvalidResult(`${key}: ${quote(name)} is not a header name`);
  return names;
}

function readStrings(result: RawResult, key: string): string[] {
  const value = result[key];
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw new InvalidResult(`${key} is not an array`);
  const wrong = value.findIndex((item) => typeof item !== 'string');
  if (wrong !== -1) throw new InvalidResult(`${key}[${wrong}] is not a string`);
  return value as string[];
}

function readString(result: RawResult, key: string): string | undefined {
  const value = result[key];
  if (value !== undefined && typeof value !== 'string') throw new InvalidResult(`${key} is not a string`);
  return value;
}

/** Envoy would send any status with a denial, 200 too. */
function readStatus(result: RawResult): number | undefined {
  const status = result.http_status;
  if (status === undefined) return undefined;
  if (typeof status !== 'number' || !Number.isInteger(status) || status < 300 || status > 599)
    throw new InvalidResult('http_status is not a whole number from 300 to 599');
  return status;
}

function readMetadata(result: RawResult): { readonly [name: string]: unknown } | undefined {
  const metadata = result.dynamic_metadata;
  if (metadata === undefined) return undefined;
  if (!isObject(metadata)) throw new InvalidResult('dynamic_metadata is not an object');
  if (Object.hasOwn(metadata, 'countersign'))
    throw new InvalidResult('dynamic_metadata: "countersign" is for Countersign alone to set');
  return metadata;
}

/** An array, or one string with spaces, as OAuth writes scopes (RFC 6749 section 3.3). */
function readScopes(result: RawResult): string[] {
  return readWords(result, 'required_scopes');
}

function readWords(result: RawResult, key: string): string[] {
  const words = result[key];
  if (typeof words === 'string') return words.split(' ').filter((word) => word !== '');
  return readStrings(result, key);
}

function readStepUp(result: RawResult): StepUp | undefined {
  const stepUp = result.step_up;
  if (stepUp === undefined) return undefined;
  if (!isObject(stepUp)) throw new InvalidResult('step_up is not an object');
  const { max_age: maxAge } = stepUp;
  const acrValues = readWords(stepUp, 'acr_values');
  if (acrValues.some((value) => !ACR_VALUE.test(value)))
    throw new InvalidResult('step_up: acr_values holds what no challenge can');
  if (maxAge !== undefined && !(typeof maxAge === 'number' && Number.isSafeInteger(maxAge) && maxAge >= 0))
    throw new InvalidResult('step_up: max_age is not a whole number of seconds');
  if (acrValues.length === 0 && maxAge === undefined)
    throw new InvalidResult('step_up has neither acr_values nor max_age');
  return { acrValues, ...(maxAge !== undefined && { maxAge }) };
}

/** Ours alone, so that a member which is not known is an error of spelling. */
function readUpstreamToken(result: RawResult): UpstreamTokenWish | undefined {
  const wish = result.upstream_token;
  if (wish === undefined) return undefined;
  if (!isObject(wish)) throw new InvalidResult('upstream_token is not an object');
  const { from, audience } = wish;
  if (typeof from !== 'string') throw new InvalidResult('upstream_token: from is not a string');
  if (typeof audience !== 'string') throw new InvalidResult('upstream_token: audience is not a string');
  const unknown = Object.keys(wish).find((key) => !['from', 'audience', 'scopes'].includes(key));
  if (unknown !== undefined) throw new InvalidResult(`upstream_token: ${quote(unknown)} is not known`);
  return { from, audience, scopes: readWords(wish, 'scopes') };
}

/** What may stand between quotes, without the space that separates two of them. */
const ACR_VALUE = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

function isObject(value: unknown): value is RawResult {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A name is the policy's own and may be told, at a bounded length. */
function quote(name: string): string {
  return JSON.stringify(name.slice(0, 60));
}
