import { parseExact, type ExactJson } from '../json/exact.js';
import type { RevocationAnswer, RevocationQuestion } from './authority.js';
import { isEntryFault, readEntry } from './entry.js';
import type { Revocation } from './types.js';

/** One request of an operator, authenticated. */
export interface DeskRequest {
  readonly method: string;
  /** What follows `/revocations/`, percent-decoded; empty when nothing does. */
  readonly id: string;
  readonly query: URLSearchParams;
  /** JSON; empty where there is none. */
  readonly body: string;
  /** Where it came from, for the audit log. */
  readonly from: string;
}

export interface DeskAnswer {
  readonly status: number;
  readonly body: object;
}

export interface DeskOptions {
  readonly ask: (question: RevocationQuestion) => RevocationAnswer | Promise<RevocationAnswer>;
  /** Who else hears of it: every replica, or this server alone. */
  readonly kept: 'shared' | 'here';
  /** The longest that a token of this issuer may still be good for (ms). */
  readonly longestLife: (issuer: string | undefined) => number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** Entries in one request. */
const MOST_AT_ONCE = 1_000;

const STATUSES = { store_unavailable: 503, list_full: 507, not_kept: 409 } as const;

/**
 * What an operator says of the list, and what is answered: `POST` an entry or an array of them, `GET` the list,
 * `DELETE` one by its id. Saying the same twice is the same as once.
 */
export function createDesk(options: DeskOptions): (request: DeskRequest) => Promise<DeskAnswer> {
  return async (request) => {
    try {
      if (request.method === 'POST' && request.id === '') return await post(request, options);
      if (request.method === 'GET' && request.id === '') return await list(request, options);
      if (request.method === 'DELETE' && request.id !== '') return await lift(request, options);
    } catch {
      // The process that keeps the list is gone.
      return { status: 503, body: { error: 'store_unavailable' } };
    }
    const mend = 'POST or GET /revocations, DELETE /revocations/ID';
    return { status: 405, body: { error: 'method_not_allowed', mend } };
  };
}

async function post({ body, from }: DeskRequest, options: DeskOptions): Promise<DeskAnswer> {
  const entries = readEntries(body, options);
  if (!Array.isArray(entries)) return entries as DeskAnswer;
  const answer = await options.ask({ ask: 'add', entries: entries as Revocation[], from });
  if ('failed' in answer) return failed(answer);
  return { status: 200, body: { ...answer, kept: options.kept } };
}

function readEntries(body: string, { now, longestLife }: DeskOptions): readonly Revocation[] | DeskAnswer {
  let value: ExactJson;
  try {
    value = parseExact(body);
  } catch {
    return wrong('the body is not JSON', 'send one entry, as {"subject":"alice"}, or an array of them');
  }
  const all = Array.isArray(value) ? value : [value];
  if (all.length === 0 || all.length > MOST_AT_ONCE)
    return wrong(`${all.length} entries`, `send 1 to ${MOST_AT_ONCE} at once`);
  const at = now();
  const entries: Revocation[] = [];
  for (const [i, one] of all.entries()) {
    const entry = readEntry(one, { source: 'admin', now: at, longestLife });
    const place = Array.isArray(value) ? `[${i}]` : '';
    if (isEntryFault(entry))
      return wrong(
        `${[place, entry.key].filter(Boolean).join('.') || 'the entry'} ${entry.wrong}`,
        entry.mend,
      );
    if (entry.expires !== undefined && at >= entry.expires * 1000)
      return wrong(`${place}${place && '.'}expires is over`, 'give a time to come, or leave it out');
    entries.push(entry);
  }
  return entries;
}

async function list({ query }: DeskRequest, { ask }: DeskOptions): Promise<DeskAnswer> {
  const limit = Number(query.get('limit') ?? MOST_AT_ONCE);
  if (!Number.isInteger(limit) || limit < 1 || limit > MOST_AT_ONCE)
    return wrong('limit is out of range', `write 1 to ${MOST_AT_ONCE}`);
  const answer = await ask({ ask: 'list', limit, after: query.get('after') ?? undefined });
  return 'failed' in answer ? failed(answer) : { status: 200, body: answer };
}

async function lift({ id, from }: DeskRequest, { ask }: DeskOptions): Promise<DeskAnswer> {
  const answer = await ask({ ask: 'lift', id, from });
  if ('failed' in answer) return failed(answer);
  if (!('lifted' in answer) || answer.lifted === 'unknown')
    return { status: 404, body: { error: 'not_found', mend: 'GET /revocations lists the ids' } };
  if (answer.lifted === 'in_file')
    return {
      status: 409,
      body: { error: 'in_file', mend: 'the entry stands in revocation.file: take it out there' },
    };
  return { status: 200, body: { lifted: id } };
}

function wrong(detail: string, mend: string): DeskAnswer {
  return { status: 400, body: { error: 'invalid_request', detail, mend } };
}

function failed({ failed, detail }: Extract<RevocationAnswer, { failed: unknown }>): DeskAnswer {
  return { status: STATUSES[failed], body: { error: failed, detail } };
}
