import { isEntryFault, readEntry } from './entry.js';
import type { Revocation, Source } from './types.js';

/** An entry as stores keep it: without its id, which is made of the rest. */
export function writeStored({ id: _, ...entry }: Revocation): string {
  return JSON.stringify(entry);
}

/** Reads what {@link writeStored} wrote; undefined for anything else. */
export function readStored(text: string): Revocation | undefined {
  try {
    return fromStored(JSON.parse(text));
  } catch {
    return undefined;
  }
}

export function fromStored(value: unknown): Revocation | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { source, ...rest } = value as { source?: unknown };
  if (source !== 'admin' && source !== 'signal') return undefined;
  const entry = readEntry(rest, { source: source satisfies Source, now: 0 });
  return isEntryFault(entry) ? undefined : entry;
}
