import type { JsonObject } from '../../jws/compact.js';
import { isEntryFault, readEntry } from '../entry.js';
import type { Revocation } from '../types.js';
import { fault, isObject, type SecurityEvents, type SetFault, type Transmitter } from './set.js';
import { readSubject, type Named, type Role } from './subject.js';

/**
 * - `applied`: it is refused from now on
 * - `no_effect`: understood, and there is nothing to refuse
 * - `verification`: the transmitter tries whether it gets through
 * - `unmatched`: not an event that is acted on, or about somebody whom no request can be told to be
 */
export type SignalResult = 'applied' | 'no_effect' | 'verification' | 'unmatched';

export interface Consequence {
  readonly result: SignalResult;
  readonly type: string;
  readonly entries: readonly Revocation[];
}

const CAEP = 'https://schemas.openid.net/secevent/caep/event-type/';
const RISC = 'https://schemas.openid.net/secevent/risc/event-type/';
const SSF = 'https://schemas.openid.net/secevent/ssf/event-type/';

/** Event types that end what was issued before them, and what a subject without a role of its own is in them. */
const ENDING: { readonly [type: string]: readonly Role[] } = {
  // CAEP 1.0 section 3.1 names a session by an identifier of its own, or a user, whose sessions are all meant.
  [`${CAEP}session-revoked`]: ['session', 'subject'],
  [`${CAEP}credential-change`]: ['subject'],
  [`${CAEP}token-claims-change`]: ['subject'],
  [`${RISC}account-disabled`]: ['subject'],
  [`${RISC}account-purged`]: ['subject'],
  [`${RISC}credential-compromise`]: ['subject'],
  [`${RISC}sessions-revoked`]: ['subject'],
};

export interface ConsequenceOptions {
  readonly transmitter: Transmitter;
  readonly longestLife: (issuer: string | undefined) => number;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** What follows of each event of a token; a fault where the transmitter may not say it. */
export function consequences(told: SecurityEvents, options: ConsequenceOptions): Consequence[] | SetFault {
  const all: Consequence[] = [];
  for (const [type, event] of told.events) {
    const made = consequenceOf(type, event, told, options);
    if ('err' in made) return made;
    all.push(made);
  }
  return all;
}

function consequenceOf(
  type: string,
  event: JsonObject,
  told: SecurityEvents,
  options: ConsequenceOptions,
): Consequence | SetFault {
  const nothing = (result: SignalResult): Consequence => ({ result, type, entries: [] });
  if (type === `${SSF}verification`) return nothing('verification');
  if (type === `${SSF}stream-updated`) return nothing('no_effect');
  const roles = Object.hasOwn(ENDING, type) ? ENDING[type]! : undefined;
  if (roles === undefined) return nothing('unmatched');
  // One more credential takes nothing from those that there were.
  if (type === `${CAEP}credential-change` && event.change_type === 'create') return nothing('no_effect');
  // Before Shared Signals 1.0 the subject stood in the event.
  const subject = told.subject ?? (isObject(event.subject) ? event.subject : undefined);
  if (subject === undefined) return fault('invalid_request', 'sub_id is missing');
  const named = readSubject(subject, options.transmitter, roles);
  if (named === 'foreign')
    return fault('access_denied', 'the transmitter may not speak of subjects of this issuer or trust domain');
  if (named === 'unknown') return nothing('unmatched');
  const entries = named.flatMap((one) => entryFor(one, type, event, told, options));
  return entries.length > 0 ? { result: 'applied', type, entries } : nothing('unmatched');
}

/**
 * A session that is over, or a token that was taken back, is refused whenever it was issued; of a user, what was issued
 * before. Either way the entry ends once nothing that was issued by now is good any more.
 */
function entryFor(
  named: Named,
  type: string,
  event: JsonObject,
  told: SecurityEvents,
  { transmitter, longestLife, now }: ConsequenceOptions,
): Revocation[] {
  const life = longestLife(named.issuer);
  const whole = (named.session ?? named.jti ?? named.spiffe_id) !== undefined;
  const entry = readEntry(
    {
      ...named,
      ...(whole
        ? Number.isFinite(life) && { expires: Math.ceil((now + life) / 1000) }
        : { issued_before: momentOf(event, told, now) }),
      reason: `${type.slice(type.lastIndexOf('/') + 1)}${/^[\x21-\x7e]{1,200}$/.test(told.jti) ? `, event ${told.jti}` : ''}`,
      by: transmitter.issuer,
    },
    { source: 'signal', now, longestLife },
  );
  return isEntryFault(entry) ? [] : [entry];
}

/**
 * The first second of which a token may be that was issued after the event: what was issued within the event's own second
 * cannot be told apart. No event is taken to be of a time to come, which would refuse tokens that are yet to be issued.
 */
function momentOf({ event_timestamp: stamp }: JsonObject, told: SecurityEvents, now: number): number {
  const given = typeof stamp === 'number' && Number.isFinite(stamp) && stamp > 0 ? stamp : undefined;
  // Drafts of CAEP counted milliseconds; in seconds these are years beyond 5000.
  const seconds = given !== undefined && given > 1e11 ? given / 1000 : given;
  return Math.floor(Math.min(seconds ?? told.happenedAt ?? told.issuedAt, now / 1000)) + 1;
}
