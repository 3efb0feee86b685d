import { isRefusal, refuse, type Refusal } from '../errors/refusal.js';
import { parseExact, type ExactJson } from '../json/exact.js';
import type { JsonObject } from '../jws/compact.js';
import { readClaims, type ClaimCode, type ClaimRules, type Claims } from './claims.js';

/**
 * Reads an introspection response (RFC 7662 section 2.2).
 *
 * @returns what it says of a token that is active; undefined for one that is not; null where it is no such response
 */
export function readAnswer(body: string): JsonObject | undefined | null {
  let answer: ExactJson;
  try {
    answer = parseExact(body);
  } catch {
    return null;
  }
  if (typeof answer !== 'object' || answer === null || Object.getPrototypeOf(answer) !== Object.prototype)
    return null;
  const members = answer as { [name: string]: ExactJson };
  // "true" and 1 are no booleans, and whoever writes them may write "false" next.
  if (typeof members.active !== 'boolean') return null;
  return members.active ? members : undefined;
}

export type AnswerCode =
  | ClaimCode
  | 'token_inactive'
  | 'token_type_refused'
  | 'token_binding_unsupported'
  | 'token_introspection_unavailable';

/** How answers of an issuer are read. */
export interface AnswerRules extends ClaimRules {
  /** What a token counts as issued for whose answer has no `aud`: nothing, so that it is refused, unless given. */
  readonly assumedAudience?: string;
}

/**
 * What an answer says of a token, held to the same rules as the claims of a JWT.
 *
 * @param own claims that the token itself has and that were verified; the answer's stand above them
 * @param now milliseconds since the epoch
 */
export function readIntrospected(
  body: string,
  own: JsonObject,
  rules: AnswerRules,
  now: number,
): Claims | Refusal<AnswerCode> {
  const answer = readAnswer(body);
  if (answer === null)
    return refuse('token_introspection_unavailable', 'the answer is none that RFC 7662 has');
  if (answer === undefined) return refuse('token_inactive', 'the issuer says that the token is not active');
  const wrongKind = kindFault(answer);
  if (wrongKind !== undefined) return refuse('token_type_refused', `the issuer says ${wrongKind}`);
  const { active: _, ...said } = answer;
  const told: { [name: string]: ExactJson } = { ...own, ...said };
  // RFC 9449 section 6.2: what the token is bound to stands in cnf.
  if (told.cnf === undefined && /^dpop$/i.test(String(said.token_type)))
    return refuse('token_binding_unsupported', 'the issuer says that the token is bound, and not to what');
  const claims: { [name: string]: ExactJson } = { iss: rules.issuer, ...told };
  // Who answers and for whom is known: RFC 7662 section 2.2 leaves all but `active` out at will. As in RFC 9068 section
  // 2.2, the subject of a token without a user is its client.
  if (claims.sub === undefined && claims.client_id !== undefined) claims.sub = claims.client_id;
  if (claims.aud === undefined && rules.assumedAudience !== undefined) claims.aud = rules.assumedAudience;
  // Without iat it is what is left of the token's life that may be no longer than allowed.
  if (claims.iat === undefined) claims.iat = Math.floor(now / 1000);
  const read = readClaims(claims, { ...rules, profile: 'jwt' }, now);
  if (isRefusal(read)) return read;
  // What was assumed decides here, and is told to nobody as something that the issuer said.
  const { issuedAt, ...rest } = read;
  return { ...rest, claims: told, ...(told.iat !== undefined && issuedAt !== undefined && { issuedAt }) };
}

/** Refresh and ID tokens are active too where an issuer has them, and are no access tokens. */
function kindFault({ token_type: type, token_use: use }: JsonObject): string | undefined {
  if (type !== undefined && !(typeof type === 'string' && /^(bearer|dpop)$/i.test(type)))
    return 'token_type of another kind';
  if (use !== undefined && !(typeof use === 'string' && /^access(_token)?$/.test(use)))
    return 'token_use of another kind';
  return undefined;
}
