import { LRUCache } from 'lru-cache';
import { createInFlight } from '../feed/in-flight.js';
import { createThrottle, RequestFault, type ThrottleOptions, whyUnanswered } from '../token/throttle.js';
import type { ObtainedToken } from './token-response.js';

/** What a server is asked for. Plain data, so that one process can ask for all workers. */
export interface TokenQuestion {
  /** The same for what may share one token, and for nothing else. */
  readonly key: string;
  readonly audience: string;
  /** Sorted, none twice. */
  readonly scopes: readonly string[];
  /** The token that is exchanged, or the assertion that is shown: a secret. Absent where the server needs none of the caller's. */
  readonly subject?: string;
}

/** Plain data. */
export type TokenAnswer = ObtainedToken | TokenFailure;

export interface TokenFailure {
  /** `refused`: the server said no to this very question; otherwise it could not be asked. */
  readonly failure: 'refused' | 'unavailable';
  /** For the operator; it quotes no secret. */
  readonly detail: string;
}

/** The server said no to one question: it says nothing of how it is. */
export class TokenRefused extends RequestFault {}

export interface TokenSourceOptions extends ThrottleOptions {
  /** @throws TokenRefused, or Error for what was no answer */
  readonly ask: (question: TokenQuestion, signal: AbortSignal) => Promise<ObtainedToken>;
  /** How long a token is kept and used. */
  readonly terms: TokenTerms;
  /** Milliseconds for one answer. */
  readonly timeout: number;
  /** Tokens that are kept. */
  readonly capacity: number;
}

/** Milliseconds. */
export interface TokenTerms {
  /** A token is used for no longer, whatever its server says. */
  readonly maxLifetime: number;
  /** One that lives for less is not given to an upstream any more. */
  readonly minRemaining: number;
}

/** Milliseconds for which a no counts: a policy that asks for what it does not get asks at every request. */
const NO_COUNTS = 1_000;

/** When a token has to be gone, and from when on another one is asked for meanwhile; undefined where it is not kept. */
export function usable(
  { obtainedAt, expiresAt }: ObtainedToken,
  { maxLifetime, minRemaining }: TokenTerms,
): { readonly until: number; readonly renewAt: number } | undefined {
  if (expiresAt === undefined) return undefined;
  const until = Math.min(expiresAt - minRemaining, obtainedAt + maxLifetime);
  return { until, renewAt: obtainedAt + (until - obtainedAt) * RENEWED_AFTER };
}

/** The part of its life after which a token is renewed. */
const RENEWED_AFTER = 0.75;

/**
 * What asks one server: once for all that want the same at the same time, again ahead of a token's end, and not at all for a
 * while after it failed to answer. Never rejects.
 */
export function createTokenSource(
  options: TokenSourceOptions,
): (question: TokenQuestion) => Promise<TokenAnswer> {
  const { now, terms, timeout } = options;
  const throttle = createThrottle(options);
  const kept = new LRUCache<string, ObtainedToken>({ max: options.capacity });
  const refused = new LRUCache<string, { readonly until: number; readonly answer: TokenFailure }>({
    max: options.capacity,
  });
  const once = createInFlight<TokenAnswer>();

  async function ask(question: TokenQuestion): Promise<TokenAnswer> {
    const signal = AbortSignal.timeout(timeout);
    try {
      const token = await throttle.run(() => options.ask(question, signal), signal);
      if (usable(token, terms) !== undefined) kept.set(question.key, token);
      return token;
    } catch (error) {
      const known = kept.get(question.key);
      if (error instanceof TokenRefused) {
        // What was granted before may have been taken back since.
        kept.delete(question.key);
        const answer = { failure: 'refused', detail: error.message } as const;
        refused.set(question.key, { until: now() + NO_COUNTS, answer });
        return answer;
      }
      if (known !== undefined && now() < usable(known, terms)!.until) return known;
      return { failure: 'unavailable', detail: whyUnanswered(error, signal) };
    }
  }

  return async (question) => {
    const { key } = question;
    const known = kept.get(key);
    if (known !== undefined && now() < usable(known, terms)!.renewAt) return known;
    const no = refused.get(key);
    if (no !== undefined && now() < no.until) return no.answer;
    return once(key, () => ask(question));
  };
}
