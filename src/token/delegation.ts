import { refuse, type Refusal } from '../errors/refusal.js';
import type { ExactJson } from '../json/exact.js';
import type { JsonObject } from '../jws/compact.js';

/** Actors that may stand between a token's subject and its presenter, unless configured otherwise. */
export const MOST_ACTORS = 4;

/**
 * The chain of `act` (RFC 8693 section 4.1), the one who acts now first, each without those nested in it. Only the
 * first one counts for what is allowed; the others are history.
 *
 * Each actor has to be an object that says who it is: by `sub`, or by `client_id`, as text.
 */
export function readActors(
  act: ExactJson | undefined,
  most = MOST_ACTORS,
): readonly JsonObject[] | Refusal<'token_claims_invalid' | 'token_delegation_too_deep'> {
  const actors: JsonObject[] = [];
  for (let next = act; next !== undefined;) {
    if (actors.length === most)
      return refuse('token_delegation_too_deep', `act names more than ${most} actors`);
    if (typeof next !== 'object' || next === null || Object.getPrototypeOf(next) !== Object.prototype)
      return refuse('token_claims_invalid', `act is not an object${at(actors)}`);
    const { act: nested, ...actor } = next as { readonly [name: string]: ExactJson };
    for (const name of ['sub', 'client_id', 'iss'])
      if (actor[name] !== undefined && (typeof actor[name] !== 'string' || actor[name] === ''))
        return refuse('token_claims_invalid', `act.${name} is not text${at(actors)}`);
    if (actor.sub === undefined && actor.client_id === undefined)
      return refuse('token_claims_invalid', `act says neither by sub nor by client_id who acts${at(actors)}`);
    actors.push(actor);
    next = nested;
  }
  return actors;
}

function at(actors: readonly unknown[]): string {
  return actors.length === 0 ? '' : `, ${actors.length} down the chain`;
}
