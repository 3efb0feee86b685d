import { mkdir, open, readFile, rename, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { mergeEntries } from './entry.js';
import { StoreError, type RevocationStore, type StoreSink } from './store.js';
import { fromStored } from './stored.js';
import type { Revocation } from './types.js';

export interface LogStoreOptions {
  /** Made where it is not there. One process at a time may use it. */
  readonly folder: string;
  readonly maxEntries: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Told when the last line was cut short by a crash. */
  readonly onTorn?: () => void;
}

/** Lines that may stand for nothing any more before the log is written anew. */
const IDLE_LINES = 1_000;

/** A line that waits to be on the disk. */
interface Pending {
  readonly line: string;
  readonly done: (error?: Error) => void;
}

/**
 * Keeps entries in a log: one line for each change, on the disk (fdatasync) before a change is acknowledged. What
 * waits is written together. A last line that a crash cut short was never acknowledged, and is taken away.
 */
export function createLogStore({ folder, maxEntries, now, onTorn }: LogStoreOptions): RevocationStore {
  const path = join(folder, 'revocations.log');
  const entries = new Map<string, Revocation>();
  let sink: StoreSink;
  let file: FileHandle;
  /** Bytes of whole lines: what a failed write left behind them is cut off. */
  let length = 0;
  let lines = 0;
  let pending: Pending[] = [];
  let writing: Promise<void> | undefined;

  async function read(): Promise<void> {
    const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return Buffer.alloc(0);
      throw error;
    });
    length = bytes.lastIndexOf(0x0a) + 1;
    if (length < bytes.length) onTorn?.();
    const whole = bytes.toString('utf8', 0, length).split('\n').slice(0, -1);
    whole.forEach((line, at) => {
      if (!apply(entries, line))
        throw new Error(
          `${path}:${at + 1}: is no change that this server wrote; restore the file, or take the line out`,
        );
    });
    lines = whole.length;
    forget();
  }

  /** Entries that refuse nothing any more. */
  function forget(): void {
    for (const { id, expires } of entries.values())
      if (expires !== undefined && now() >= expires * 1000) entries.delete(id);
  }

  async function compact(): Promise<void> {
    forget();
    const text = [...entries.values()].map(addLine).join('');
    const fresh = await open(`${path}.new`, 'w', 0o600);
    await fresh.writeFile(text);
    await fresh.datasync();
    await rename(`${path}.new`, path);
    await syncFolder(folder);
    await file.close();
    file = fresh;
    length = Buffer.byteLength(text);
    lines = entries.size;
  }

  async function write(batch: readonly Pending[]): Promise<void> {
    const bytes = Buffer.from(batch.map(({ line }) => line).join(''));
    try {
      await file.truncate(length);
      await file.write(bytes, 0, bytes.length, length);
      await file.datasync();
      length += bytes.length;
      lines += batch.length;
      sink.failing(undefined);
      for (const { done } of batch) done();
    } catch (error) {
      const why = `${path} cannot be written (${(error as NodeJS.ErrnoException).code})`;
      sink.failing(why);
      for (const { done } of batch) done(new StoreError('store_unavailable', why));
    }
  }

  /** Runs until nothing waits any more; what is appended meanwhile is written by the same run. */
  async function drain(): Promise<void> {
    while (pending.length > 0) {
      const batch = pending;
      pending = [];
      await write(batch);
      // Made of what was acknowledged; a failure leaves the old log, which says the same.
      if (lines > 2 * entries.size + IDLE_LINES)
        await compact().catch((error: NodeJS.ErrnoException) =>
          sink.failing(`${path} cannot be written anew (${error.code})`),
        );
    }
    writing = undefined;
  }

  function append(line: string): Promise<void> {
    const written = new Promise<void>((resolve, reject) => {
      pending.push({ line, done: (error) => (error ? reject(error) : resolve()) });
    });
    writing ??= drain();
    return written;
  }

  return {
    async start(to) {
      sink = to;
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await read();
      file = await open(path, lines === 0 && length === 0 ? 'a+' : 'r+', 0o600);
      await file.close();
      file = await open(path, 'r+');
      await file.truncate(length);
      await syncFolder(folder);
      sink.replace(entries);
      sink.reached();
    },
    async add(entry) {
      const there = entries.get(entry.id);
      if (there === undefined && entries.size >= maxEntries) forget();
      if (there === undefined && entries.size >= maxEntries)
        throw new StoreError('list_full', `there are ${maxEntries} entries already (revocation.max_entries)`);
      const merged = there ? mergeEntries(there, entry) : entry;
      // At once, so that what is said next builds on it; and so it refuses even where the disk fails.
      entries.set(entry.id, merged);
      sink.put([merged]);
      await append(addLine(merged));
      return merged;
    },
    async lift(id) {
      const seen = entries.get(id);
      if (seen === undefined) return false;
      await append(`${JSON.stringify({ lift: id })}\n`);
      // What was revoked anew meanwhile was acknowledged as well, and its line comes after this one.
      if (entries.get(id) !== seen) return true;
      entries.delete(id);
      sink.remove([id]);
      return true;
    },
    async stop() {
      await writing;
      await file?.close();
    },
  };
}

function addLine({ id: _, ...entry }: Revocation): string {
  return `${JSON.stringify({ add: entry })}\n`;
}

/** @returns whether the line could be read */
function apply(entries: Map<string, Revocation>, line: string): boolean {
  let value: { add?: unknown; lift?: unknown };
  try {
    value = JSON.parse(line) as typeof value;
  } catch {
    return false;
  }
  if (typeof value?.lift === 'string') {
    entries.delete(value.lift);
    return true;
  }
  const entry = fromStored(value?.add);
  if (entry === undefined) return false;
  entries.set(entry.id, entry);
  return true;
}

/** A new name is only sure to be there after a crash when its folder is on the disk as well. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
