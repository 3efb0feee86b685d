import type { HeaderPair, PolicyResult, StepUp } from '../policy/types.js';
import type { AnswerError } from './reasons.js';

/** What a challenge says besides the error. */
export interface Challenge {
  /** The authentication schemes that would do, the preferred one first. */
  readonly schemes: readonly ('Bearer' | 'DPoP')[];
  /** The algorithms that a DPoP proof may be signed with, with spaces between. */
  readonly algorithms: string;
  /** A nonce for the next proof (RFC 9449 section 9). */
  readonly nonce?: string | undefined;
  /** Where the resource's metadata are (RFC 9728 section 5.1). */
  readonly resourceMetadata?: string | undefined;
}

/** Each is one object, so that challenges can be told apart without a look at the words. */
export const SCHEMES = { bearer: ['Bearer'], dpop: ['DPoP'], either: ['DPoP', 'Bearer'] } as const;

const BEARER: Challenge = { schemes: SCHEMES.bearer, algorithms: '' };

/** Errors that are told to the client in a challenge; for the others no other token would help. */
const CHALLENGED: ReadonlySet<AnswerError> = new Set([
  'unauthorized',
  'invalid_request',
  'invalid_token',
  'insufficient_scope',
  'invalid_dpop_proof',
  'use_dpop_nonce',
  'insufficient_user_authentication',
]);

/**
 * The `WWW-Authenticate` headers of a denial (RFC 6750 section 3, RFC 9449 section 7.1, RFC 9470 section 3), one for each scheme, and the
 * `DPoP-Nonce` where the client has to use one. Every value stands between quotes as it is: none holds any.
 */
export function challenges(
  error: AnswerError,
  { schemes, algorithms, nonce, resourceMetadata }: Challenge = BEARER,
  result?: PolicyResult,
): HeaderPair[] {
  if (!CHALLENGED.has(error)) return [];
  const scopes = (result?.requiredScopes ?? []).filter((scope) => SCOPE_TOKEN.test(scope));
  const parameters: string[] = ['realm="countersign"'];
  // RFC 6750 section 3.1: who showed no credentials is told no error.
  if (error !== 'unauthorized') parameters.push(`error="${error}"`);
  if (isOfPolicy(error) && scopes.length > 0) parameters.push(`scope="${scopes.join(' ')}"`);
  if (error === 'insufficient_user_authentication' && result?.stepUp)
    parameters.push(...stepUpParameters(result.stepUp));
  if (resourceMetadata !== undefined) parameters.push(`resource_metadata="${resourceMetadata}"`);
  const headers = schemes.map((scheme): HeaderPair => {
    const own = scheme === 'DPoP' ? [...parameters, `algs="${algorithms}"`] : parameters;
    return ['www-authenticate', `${scheme} ${own.join(', ')}`];
  });
  if (nonce !== undefined && schemes.includes('DPoP')) headers.push(['dpop-nonce', nonce]);
  return headers;
}

function isOfPolicy(error: AnswerError): boolean {
  return error === 'insufficient_scope' || error === 'insufficient_user_authentication';
}

/** RFC 9470 section 3. */
function stepUpParameters({ acrValues, maxAge }: StepUp): string[] {
  return [
    ...(acrValues.length > 0 ? [`acr_values="${acrValues.join(' ')}"`] : []),
    ...(maxAge !== undefined ? [`max_age="${maxAge}"`] : []),
  ];
}

/** RFC 6749 appendix A.4: what a scope may consist of, and so what may stand between the quotes. */
const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]+$/;
