import { mergeEntries } from '../revocation/entry.js';
import { StoreError, type RevocationStore, type StoreSink } from '../revocation/store.js';
import { fromStored } from '../revocation/stored.js';
import type { Revocation } from '../revocation/types.js';
import { createValkeyLink, type ValkeyOptions } from './link.js';
import { FORGET, REPLACE } from './scripts.js';

export interface ValkeyStoreOptions extends ValkeyOptions {
  /** The same for all replicas that share a list. */
  readonly prefix: string;
  readonly maxEntries: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Milliseconds between two readings of the whole list, whatever was heard meanwhile. Default 30 s. */
  readonly resync?: number;
}

/** Milliseconds for which the store may hold back its answer to "what is new?": it is also how soon silence shows. */
const BLOCK = 1_000;
/** Changes that are kept for those who read them one by one; who missed more reads the whole list. */
const CHANGES = 10_000;
/** Of the whole list at once. */
const PAGE = 1_000;
/** Seconds for which a lifted entry is remembered as one: a replica that missed it must not put it back. */
const LIFTED = 7 * 86_400;
/** Milliseconds until the store is tried again; each further time, twice as long. */
const FIRST_RETRY = 100;
const LAST_RETRY = 2_000;
/** Entries that are put back at once. */
const AT_ONCE = 200;
/** Times that others may be quicker to change the very same entry. */
const MOST_TRIES = 50;

/** What was read under an id. */
interface Reading {
  readonly text: string;
  readonly value: Value | undefined;
}

/** What stands in the store under an entry's id. */
type Value = { readonly add: Revocation } | { readonly lifted: number };

/**
 * Keeps entries in a hash that all replicas share, and tells of each change in a stream: who follows it has a change
 * some milliseconds after it was made, in order, and can tell from its place in the stream what is missing. The hash is
 * read as a whole after each new connection and from time to time, which mends whatever was missed.
 *
 * A store that lost entries – it was restarted without its data, or an older copy took over – gets them back from the
 * replicas: an entry goes only by being lifted or by expiring, never by being absent.
 */
export function createValkeyStore(options: ValkeyStoreOptions): RevocationStore {
  const { prefix, maxEntries, now, resync = 30_000 } = options;
  const entriesKey = `{${prefix}}:revocations`;
  const changesKey = `{${prefix}}:revocations:changes`;
  // A blocked connection answers nothing else.
  const reader = createValkeyLink(options);
  const writer = createValkeyLink(options);
  /** What was said while the store did not answer. */
  const unshared = new Map<string, Revocation>();
  let sink: StoreSink;
  let stopped = false;
  let heard = now();
  /** The texts of the last reading, and what was made of each: most entries stand for long. */
  let readings: ReadonlyMap<string, Reading> = new Map();
  /** What came or went here while the whole list was being read: the reading may not know of it yet. */
  let meanwhile: Set<string> | undefined;
  let onFirst = () => {};

  async function replace(
    id: string,
    expected: string,
    value: object,
  ): Promise<[code: number, there: string]> {
    return (await writer.ask((client) =>
      client.eval(REPLACE, {
        keys: [entriesKey, changesKey],
        arguments: [id, expected, JSON.stringify(value), String(maxEntries), String(CHANGES)],
      }),
    )) as [number, string];
  }

  /** @param next what is to stand there, made of what does; undefined leaves it */
  async function change(id: string, next: (there: Value | undefined) => object | undefined): Promise<void> {
    let there = (await writer.ask((client) => client.hGet(entriesKey, id))) ?? '';
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const value = next(readValue(there));
      if (value === undefined) return;
      const [code, instead] = await replace(id, there, value);
      if (code === 1) return;
      if (code === 2)
        throw new StoreError('list_full', `there are ${maxEntries} entries already (revocation.max_entries)`);
      there = instead;
    }
    throw new Error('it was changed by others all the time');
  }

  async function share(entry: Revocation): Promise<Revocation> {
    let merged = entry;
    await change(entry.id, (there) => {
      const standing = there && 'add' in there && !isOver(there, now()) ? there.add : undefined;
      merged = standing ? mergeEntries(standing, entry) : entry;
      return writeAdd(merged);
    });
    unshared.delete(entry.id);
    return merged;
  }

  /** Everything that is there, as it is written. */
  async function readAll(): Promise<Map<string, string>> {
    const all = new Map<string, string>();
    let cursor = '0';
    do {
      const page = await writer.ask((client) => client.hScan(entriesKey, cursor, { COUNT: PAGE }));
      for (const { field, value } of page.entries) all.set(field, value);
      cursor = page.cursor;
    } while (cursor !== '0');
    return all;
  }

  /** @returns from where in the stream to read on */
  async function synchronize(): Promise<string> {
    const newest = await writer.ask((client) => client.xRevRange(changesKey, '+', '-', { COUNT: 1 }));
    meanwhile = new Set();
    const all = await readAll();
    const standing = new Map<string, Revocation>();
    const over: string[] = [];
    let unreadable = 0;
    const fresh = new Map<string, Reading>();
    let made = 0;
    for (const [id, text] of all) {
      const before = readings.get(id);
      const reading = before?.text === text ? before : { text, value: readValue(text) };
      fresh.set(id, reading);
      if (reading !== before && ++made % AT_ONCE === 0) await turn();
      const { value } = reading;
      if (value === undefined) unreadable++;
      else if (isOver(value, now())) over.push(id, text);
      else if ('add' in value) standing.set(id, value.add);
    }
    const lost = [...sink.known()].filter((entry) => !all.has(entry.id) && !isOver({ add: entry }, now()));
    readings = fresh;
    const untold = [...lost, ...unshared.values()];
    for (let at = 0; at < untold.length; at += AT_ONCE)
      for (const entry of await Promise.all(untold.slice(at, at + AT_ONCE).map(share)))
        standing.set(entry.id, entry);
    const known = new Map([...sink.known()].map((entry) => [entry.id, entry]));
    for (const id of meanwhile) {
      const entry = known.get(id);
      if (entry === undefined) standing.delete(id);
      else standing.set(id, entry);
    }
    meanwhile = undefined;
    sink.replace(standing);
    sink.failing(
      unreadable === 0 ? undefined : `${unreadable} entries of the store cannot be read by this version`,
    );
    if (over.length > 0)
      await writer.ask((client) =>
        client.eval(FORGET, { keys: [entriesKey], arguments: over.slice(0, 2 * PAGE) }),
      );
    return newest?.[0]?.id ?? '0-0';
  }

  /** Returns never, but by what it throws. */
  async function follow(): Promise<void> {
    let last = await synchronize();
    let synchronized = now();
    reached();
    while (!stopped) {
      const read = await reader.ask(
        (client) =>
          client.xRead({ key: changesKey, id: last }, { BLOCK: Math.min(BLOCK, resync), COUNT: PAGE }),
        BLOCK + 2_000,
      );
      reached();
      const changes = read?.[0]?.messages ?? [];
      if (changes.length > 0) {
        last = changes.at(-1)!.id;
        apply(changes.map(({ message }) => message));
      }
      if (now() - synchronized < resync) continue;
      last = await synchronize();
      synchronized = now();
    }
  }

  function put(entry: Revocation): void {
    meanwhile?.add(entry.id);
    sink.put([entry]);
  }

  function reached(): void {
    heard = now();
    sink.reached();
    onFirst();
  }

  function apply(changes: readonly { readonly [name: string]: string }[]): void {
    // Of several changes of one entry, the last.
    const newest = new Map(changes.map(({ id = '', value = '' }) => [id, readValue(value)]));
    const added: Revocation[] = [];
    const gone: string[] = [];
    for (const [id, value] of newest) {
      if (value === undefined) sink.failing('a change in the store cannot be read by this version');
      else if ('add' in value) added.push(value.add);
      else gone.push(id);
    }
    if (added.length > 0) sink.put(added);
    if (gone.length > 0) sink.remove(gone);
  }

  async function run(): Promise<void> {
    let failures = 0;
    while (!stopped) {
      const before = heard;
      await follow().catch((error: Error) => {
        if (heard !== before) failures = 0;
        if (!stopped) sink.lost(`the store of revocations: ${error.message}`, heard);
      });
      onFirst();
      const pause = Math.min(LAST_RETRY, FIRST_RETRY * 2 ** failures++);
      if (!stopped) await new Promise((resolve) => setTimeout(resolve, pause).unref());
    }
  }

  return {
    async start(to) {
      sink = to;
      await new Promise<void>((resolve) => {
        onFirst = resolve;
        void run();
      });
    },
    async add(entry) {
      try {
        const merged = await share(entry);
        put(merged);
        return merged;
      } catch (error) {
        if (error instanceof StoreError) throw error;
        // In force here all the same, and told to the others once the store is back.
        const waiting = unshared.get(entry.id);
        unshared.set(entry.id, waiting ? mergeEntries(waiting, entry) : entry);
        put(unshared.get(entry.id)!);
        throw new StoreError(
          'store_unavailable',
          `in force at this server alone: ${(error as Error).message}`,
        );
      }
    },
    async lift(id) {
      let lifted = unshared.delete(id);
      try {
        await change(id, (there) => {
          if (there === undefined || !('add' in there)) return undefined;
          lifted = true;
          return { lifted: Math.ceil(now() / 1000) + LIFTED };
        });
      } catch (error) {
        if (error instanceof StoreError) throw error;
        throw new StoreError('store_unavailable', (error as Error).message);
      }
      meanwhile?.add(id);
      sink.remove([id]);
      return lifted;
    },
    async stop() {
      stopped = true;
      reader.close();
      writer.close();
    },
  };
}

/** Lets what waits go first. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function writeAdd({ id: _, ...add }: Revocation): object {
  return { add };
}

/** undefined for nothing, and for what this version cannot read. */
function readValue(text: string): Value | undefined {
  if (text === '') return undefined;
  try {
    const { add, lifted } = JSON.parse(text) as { add?: unknown; lifted?: unknown };
    if (typeof lifted === 'number') return { lifted };
    const entry = fromStored(add);
    return entry && { add: entry };
  } catch {
    return undefined;
  }
}

/** @param now milliseconds since the epoch */
function isOver(value: Value, now: number): boolean {
  const end = 'add' in value ? value.add.expires : value.lifted;
  return end !== undefined && now >= end * 1000;
}
