import { createHash } from 'node:crypto';
import { isRefusal } from '../errors/refusal.js';
import { parseSpiffeId } from '../identity/spiffe-id.js';
import { TARGETS, type Revocation, type Source } from './types.js';

/** What is wrong with an entry, and what to write instead. Neither quotes a value. */
export interface EntryFault {
  /** The member; empty when it is the entry as a whole. */
  readonly key: string;
  readonly wrong: string;
  readonly mend: string;
}

export interface ReadOptions {
  readonly source: Source;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /**
   * The longest that a token of this issuer – of any, when undefined – may still be good for (ms). Given, an entry
   * that can only be about tokens issued already ends by itself when the last of them has. Infinity: nobody knows.
   */
  readonly longestLife?: (issuer: string | undefined) => number;
}

/** Characters of one value; a SPIFFE ID has at most 2,048 bytes. */
const MOST_CHARACTERS = 2_048;
const TEXTS: readonly string[] = [...TARGETS, 'reason', 'by'];
const MEMBERS: readonly string[] = [...TEXTS, 'issued_before', 'expires'];

/** Reads one entry out of parsed JSON. */
export function readEntry(value: unknown, options: ReadOptions): Revocation | EntryFault {
  if (!isObject(value))
    return fault('', 'is not a JSON object', 'write one as {"issuer":"https://idp.example.org"}');
  for (const name of Object.keys(value))
    if (!MEMBERS.includes(name)) return fault(name, 'is no member of an entry', `use ${MEMBERS.join(', ')}`);
  const entry: { [name: string]: string | number } = {};
  for (const name of TEXTS) {
    const text = value[name];
    if (text === undefined) continue;
    const wrong = textFault(text);
    if (wrong !== undefined)
      return fault(
        name,
        wrong,
        `write text of 1 to ${MOST_CHARACTERS} characters, without control characters`,
      );
    entry[name] = text as string;
  }
  for (const name of ['issued_before', 'expires']) {
    if (value[name] === undefined) continue;
    const time = readTime(value[name]);
    if (time === undefined)
      return fault(
        name,
        'is not a time',
        'write seconds since 1970, or a date with its time zone: 2030-01-31T12:00:00Z',
      );
    entry[name] = time;
  }
  return withDefaults(entry, options);
}

export function isEntryFault(outcome: Revocation | EntryFault): outcome is EntryFault {
  return 'wrong' in outcome;
}

/** `key: what is wrong; what to do` */
export function formatFault({ key, wrong, mend }: EntryFault): string {
  return `${key === '' ? 'the entry' : key}: ${wrong}; ${mend}`;
}

function withDefaults(
  entry: { [name: string]: string | number },
  { source, now, longestLife }: ReadOptions,
): Revocation | EntryFault {
  const targets = TARGETS.filter((name) => entry[name] !== undefined);
  if (targets.length === 0) return fault('', 'names nothing to refuse', `give some of ${TARGETS.join(', ')}`);
  const { spiffe_id: workload, issued_before: before, jti } = entry;
  if (workload !== undefined && !isWorkloadPattern(workload as string))
    return fault(
      'spiffe_id',
      'is not a SPIFFE ID',
      'write spiffe://domain/path, spiffe://domain/path/* for all below it, or spiffe://domain for all of it',
    );
  // What an SVID has instead is its own short life, and this server is not told when one was issued.
  if (before !== undefined && targets.length === 1 && workload !== undefined)
    return fault('issued_before', 'is about tokens', 'leave it out, or name the tokens as well');
  let { expires } = entry;
  if (expires === undefined && longestLife && (before !== undefined || jti !== undefined)) {
    const from = Math.max((before as number | undefined) ?? 0, now / 1000);
    const life = longestLife(entry.issuer as string | undefined);
    if (Number.isFinite(life)) expires = Math.ceil(from + life / 1000);
  }
  return {
    id: idOf(entry),
    ...(entry as Omit<Revocation, 'id' | 'source'>),
    ...(expires !== undefined && { expires: expires as number }),
    source,
  };
}

/**
 * 128 bits over what is refused. Whether there is a bound on `iat` counts and where it lies does not: a later bound
 * takes the earlier one's place, while a bound never takes the place of a refusal without one.
 */
function idOf(entry: { [name: string]: string | number }): string {
  const said = [...TARGETS.map((name) => entry[name] ?? null), entry.issued_before !== undefined];
  return createHash('sha256').update(JSON.stringify(said)).digest('base64url').slice(0, 22);
}

/**
 * Two entries of one id as one, which refuses all that either does: the later bound, the later end, or none where
 * one of them has none. What people read of it is the newer one's.
 */
export function mergeEntries(older: Revocation, newer: Revocation): Revocation {
  const { expires: _, ...said } = { ...older, ...newer };
  return {
    ...said,
    ...(older.issued_before !== undefined &&
      newer.issued_before !== undefined && {
        issued_before: Math.max(older.issued_before, newer.issued_before),
      }),
    ...(older.expires !== undefined &&
      newer.expires !== undefined && { expires: Math.max(older.expires, newer.expires) }),
  };
}

/** Whether two entries of one id say the same. */
export function sameEntry(a: Revocation, b: Revocation): boolean {
  return (
    a.issued_before === b.issued_before &&
    a.expires === b.expires &&
    a.reason === b.reason &&
    a.by === b.by &&
    a.source === b.source
  );
}

function isWorkloadPattern(text: string): boolean {
  return !isRefusal(parseSpiffeId(text.endsWith('/*') ? text.slice(0, -2) : text));
}

function textFault(value: unknown): string | undefined {
  if (typeof value !== 'string') return 'is not text';
  if (value === '') return 'is empty';
  if (value.length > MOST_CHARACTERS) return 'is too long';
  // eslint-disable-next-line no-control-regex
  return /[\u0000-\u001f\u007f]/.test(value) ? 'has a control character' : undefined;
}

const DATE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;

/** NumericDate, or RFC 3339 with its zone: a time that depends on where it is read is none. */
function readTime(value: unknown): number | undefined {
  if (typeof value === 'number')
    return Number.isFinite(value) && value >= 0 && value < 1e11 ? value : undefined;
  if (typeof value !== 'string' || !DATE.test(value)) return undefined;
  const milliseconds = Date.parse(value);
  return Number.isNaN(milliseconds) ? undefined : milliseconds / 1000;
}

function isObject(value: unknown): value is { readonly [name: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function fault(key: string, wrong: string, mend: string): EntryFault {
  return { key, wrong, mend };
}
