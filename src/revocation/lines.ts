import { parseExact } from '../json/exact.js';
import { formatFault, isEntryFault, mergeEntries, readEntry, type ReadOptions } from './entry.js';
import type { Revocation } from './types.js';

/** Lines read in one go: between them, requests are answered. */
const SLICE = 1_000;

/** Of many problems these are told. */
const MOST_TOLD = 10;

/**
 * Reads a list with one entry a line, as JSON. Lines that are empty or begin with `#` are for people.
 *
 * @param file its name, for the errors
 * @throws Error with a line for each problem: `file:line: key: what is wrong; what to do`
 */
export async function readEntryLines(
  text: string,
  file: string,
  options: ReadOptions & { readonly maxEntries: number },
): Promise<Map<string, Revocation>> {
  const entries = new Map<string, Revocation>();
  const problems: string[] = [];
  for (const [at, line] of text.split('\n').entries()) {
    if (at % SLICE === SLICE - 1) await new Promise(setImmediate);
    if (/^\s*(#|$)/.test(line)) continue;
    const entry = readLine(line, options);
    if (typeof entry === 'string') {
      problems.push(`${file}:${at + 1}: ${entry}`);
      if (problems.length >= MOST_TOLD) break;
      continue;
    }
    const there = entries.get(entry.id);
    entries.set(entry.id, there ? mergeEntries(there, entry) : entry);
    if (entries.size > options.maxEntries) {
      problems.push(
        `${file}:${at + 1}: more than ${options.maxEntries} entries; raise revocation.max_entries, or take some out`,
      );
      break;
    }
  }
  if (problems.length > 0) throw new Error(problems.join('\n'));
  return entries;
}

function readLine(line: string, options: ReadOptions): Revocation | string {
  let value: unknown;
  try {
    value = parseExact(line);
  } catch {
    return 'is not JSON; write one entry on a line, as {"subject":"alice"}';
  }
  const entry = readEntry(value, options);
  return isEntryFault(entry) ? formatFault(entry) : entry;
}
