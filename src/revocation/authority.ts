import { createCell, type Cell } from '../feed/cell.js';
import { RevocationBook } from './book.js';
import type { RevocationStatus } from './check.js';
import { StoreError, type RevocationStore, type StoreErrorCode, type StoreSink } from './store.js';
import type { Revocation } from './types.js';

export interface AuthorityOptions {
  /** The operator's list, read and checked. Rejects with an Error that says what is wrong with it. */
  readonly readFile?: (() => Promise<ReadonlyMap<string, Revocation>>) | undefined;
  /** Where what is said to the running server is kept; without one nothing can be said to it. */
  readonly store?: RevocationStore | undefined;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Told of each change that was asked for, once it is in force. */
  readonly onAudit: (event: AuditEvent) => void;
}

export interface AuditEvent {
  readonly action: 'revoked' | 'lifted';
  readonly entry: Revocation;
  /** Where the request came from. */
  readonly from: string;
}

/** What workers ask of the process that keeps the list. Plain data, as are the answers. */
export type RevocationQuestion =
  | { readonly ask: 'add'; readonly entries: readonly Revocation[]; readonly from: string }
  | { readonly ask: 'lift'; readonly id: string; readonly from: string }
  | { readonly ask: 'list'; readonly after?: string | undefined; readonly limit: number };

export type RevocationAnswer =
  /** As they stand now, with what was there before. */
  | { readonly entries: readonly Revocation[]; readonly total: number }
  | { readonly lifted: 'yes' | 'unknown' | 'in_file' }
  | { readonly failed: StoreErrorCode | 'not_kept'; readonly detail: string };

/** The one place where the list is written. */
export interface RevocationAuthority {
  readonly shards: RevocationBook['shards'];
  readonly status: Cell<RevocationStatus>;
  answer(question: RevocationQuestion): Promise<RevocationAnswer>;
  /** Reads the file again. @throws Error that says what is wrong with it; what was good stays in force. */
  readFile(): Promise<void>;
  /** Of the first reading, once it is over: what the operator has to mend before this can serve. */
  fatal(): string | undefined;
  stop(): Promise<void>;
}

/** Milliseconds between two looks for what has expired. It refuses nothing meanwhile: this is about room. */
const SWEEP = 5_000;

export function createRevocationAuthority(options: AuthorityOptions): RevocationAuthority {
  const { readFile, store, now, onAudit } = options;
  let fatal: string | undefined;
  let starting: Promise<void> | undefined;
  let sweeping: NodeJS.Timeout | undefined;
  let stopped = false;
  let standing: Omit<RevocationStatus, 'entries'> = { loaded: false };

  const start = () => (starting ??= startOnce());
  const book = new RevocationBook(start);
  const status = createCell<RevocationStatus>(undefined, start);

  function tell(changed: { readonly [name in keyof typeof standing]?: unknown } = {}): void {
    // Members that became undefined are taken away.
    const next = Object.entries({ ...standing, ...changed }).filter(([, value]) => value !== undefined);
    standing = Object.fromEntries(next) as unknown as typeof standing;
    status.set({ ...standing, entries: book.size });
  }

  let publishing = false;

  /** Once for all that is said in one turn: a batch of a thousand is no thousand publications. */
  function publish(): void {
    if (publishing) return;
    publishing = true;
    queueMicrotask(() => {
      publishing = false;
      publishNow();
    });
  }

  function publishNow(): void {
    if (!standing.loaded) return;
    const before = book.size;
    book.publish();
    if (status.latest()?.entries !== before) tell();
  }

  const sink: StoreSink = {
    put(entries) {
      for (const entry of entries) book.put('said', entry);
      publish();
    },
    remove(ids) {
      for (const id of ids) book.remove('said', id);
      publish();
    },
    replace(entries) {
      book.replace('said', entries);
      publish();
    },
    known: () => book.entries('said'),
    reached() {
      if (standing.loaded && standing.unreachableSince === undefined) return;
      load({ unreachableSince: undefined, storeError: undefined });
    },
    lost(error, since) {
      if (standing.storeError === error && standing.unreachableSince !== undefined) return;
      tell({ unreachableSince: standing.unreachableSince ?? since, storeError: error });
    },
    failing(error) {
      if (standing.storeError !== error) tell({ storeError: error });
    },
  };

  /** Everything is here: the parts go out before anybody reads that they are whole. */
  function load(changed: Parameters<typeof tell>[0]): void {
    if (!fileRead) return;
    book.publish();
    tell({ ...changed, loaded: true });
  }

  let fileRead = readFile === undefined;
  async function readFileOnce(): Promise<void> {
    if (!readFile) return;
    try {
      book.replace('file', await readFile());
      fileRead = true;
      tell({ fileError: undefined });
      publish();
    } catch (error) {
      tell({ fileError: (error as Error).message });
      throw error;
    }
  }

  async function startOnce(): Promise<void> {
    try {
      await readFileOnce();
      if (store) await store.start(sink);
      else load({});
    } catch (error) {
      fatal = (error as Error).message;
      tell();
    }
    if (stopped) return;
    sweeping = setInterval(() => {
      book.sweep(now());
      publish();
    }, SWEEP);
    sweeping.unref();
  }

  async function add(entries: readonly Revocation[], from: string): Promise<RevocationAnswer> {
    if (!store) return NOT_KEPT;
    const kept = await Promise.all(entries.map((entry) => store.add(entry)));
    for (const entry of kept) onAudit({ action: 'revoked', entry, from });
    return { entries: kept, total: book.size };
  }

  async function lift(id: string, from: string): Promise<RevocationAnswer> {
    const entry = book.get('said', id);
    if (!store || entry === undefined)
      return { lifted: book.get('file', id) === undefined ? 'unknown' : 'in_file' };
    if (!(await store.lift(id))) return { lifted: 'unknown' };
    onAudit({ action: 'lifted', entry, from });
    return { lifted: book.get('file', id) === undefined ? 'yes' : 'in_file' };
  }

  function list(after: string | undefined, limit: number): RevocationAnswer {
    const all = [...book.entries('file'), ...book.entries('said')].filter(
      ({ id }) => after === undefined || id > after,
    );
    all.sort((a, b) => (a.id < b.id ? -1 : Number(a.id > b.id)));
    return { entries: all.slice(0, limit), total: book.size };
  }

  return {
    shards: book.shards,
    status,
    fatal: () => fatal,
    async answer(question) {
      try {
        if (question.ask === 'add') return await add(question.entries, question.from);
        if (question.ask === 'lift') return await lift(question.id, question.from);
        return list(question.after, question.limit);
      } catch (error) {
        if (error instanceof StoreError) return { failed: error.code, detail: error.message };
        throw error;
      }
    },
    readFile: readFileOnce,
    async stop() {
      stopped = true;
      clearInterval(sweeping);
      await starting;
      await store?.stop();
    },
  };
}

export const NOT_KEPT: RevocationAnswer = {
  failed: 'not_kept',
  detail:
    'set revocation.persistence_directory or revocation.store: what is not kept would be let in after a restart',
};
