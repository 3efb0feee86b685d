import { isRefusal, refuse, type Refusal } from '../errors/refusal.js';
import type { JsonObject } from '../jws/compact.js';
import type { Claims } from './claims.js';
import type { Introspect } from './introspection.js';
import { readIntrospected, type AnswerCode, type AnswerRules } from './introspection-answer.js';

/** How an issuer is asked about its tokens. */
export interface IntrospectionRules {
  readonly ask: Introspect;
  /** Those that are no JWT; or all of them, also after their signature was verified. */
  readonly tokens: 'opaque' | 'all';
  /** What the issuer's opaque tokens begin with, where several issuers have such. */
  readonly prefix?: string;
  /** What a token counts as issued for whose answer has no `aud`. It is refused where this is absent. */
  readonly assumedAudience?: string;
  /** Milliseconds that an answer counts at most. */
  readonly cache: number;
}

/** Claims that an issuer vouched for when it was asked, and until when that counts (milliseconds since the epoch). */
export interface IntrospectedClaims {
  readonly claims: Claims;
  readonly freshUntil: number;
}

/**
 * Asks the issuer about a token. Never rejects.
 *
 * @param own claims of the token itself that were verified; empty for an opaque one
 */
export async function introspect(
  token: string,
  own: JsonObject,
  issuer: AnswerRules & { readonly introspection: IntrospectionRules },
  now: () => number,
): Promise<IntrospectedClaims | Refusal<AnswerCode>> {
  const { ask, cache, assumedAudience } = issuer.introspection;
  const answer = await Promise.resolve(ask(token)).catch(() => ({ failure: 'nobody is there to ask' }));
  if ('failure' in answer)
    return refuse(
      'token_introspection_unavailable',
      `${issuer.issuer} could not be asked: ${answer.failure}`,
    );
  const rules = assumedAudience === undefined ? issuer : { ...issuer, assumedAudience };
  const claims = readIntrospected(answer.body, own, rules, now());
  return isRefusal(claims) ? claims : { claims, freshUntil: answer.at + cache };
}

/**
 * Whether a token has the form of JOSE: a first part that is a JSON object. Such a one says itself whose it is, and is
 * never shown to an issuer that it does not name.
 */
export function looksLikeJose(token: string): boolean {
  const dot = token.indexOf('.');
  return (
    dot > 0 &&
    Buffer.from(token.slice(0, Math.min(dot, 8)), 'base64url')
      .toString('latin1')
      .trimStart()[0] === '{'
  );
}

/** The issuer of opaque tokens that begin like this one. */
export function issuerOfOpaque<Issuer extends { readonly introspection?: IntrospectionRules }>(
  token: string,
  issuers: Iterable<Issuer>,
): Issuer | undefined {
  let other: Issuer | undefined;
  for (const issuer of issuers) {
    const { introspection } = issuer;
    if (introspection === undefined) continue;
    if (introspection.prefix === undefined) other = issuer;
    else if (token.startsWith(introspection.prefix)) return issuer;
  }
  return other;
}
