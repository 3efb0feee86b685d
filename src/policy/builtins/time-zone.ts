import { createRequire } from 'node:module';
import { BuiltinError } from './builtin.js';

/** What a clock in some place shows: its distance from UTC and what people there call it. */
export interface Offset {
  /** Seconds east of Greenwich. */
  readonly seconds: number;
  /** As the IANA database has it: `CET`, or `-03` where there is no abbreviation. */
  readonly name: string;
}

/** A place's offsets through the years. */
export interface Zone {
  /** @param seconds since the epoch */
  at(seconds: number): Offset;
}

export const UTC: Zone = { at: () => ({ seconds: 0, name: 'UTC' }) };

/**
 * A zone by its name in the IANA database, case and all; `''` and `UTC` are UTC, `Local` is where this process is.
 * Node's own data is not used: it lacks the abbreviations.
 *
 * @throws BuiltinError for a name that isn't there
 */
export function zoneOf(name: string): Zone {
  if (name === '' || name === 'UTC') return UTC;
  if (name === 'Local') return zoneOf(new Intl.DateTimeFormat().resolvedOptions().timeZone);
  let zone = zones.get(name);
  if (zone === undefined) {
    const packed = database().get(name);
    if (packed === undefined) throw new BuiltinError('unknown time zone');
    zone = new PackedZone(packed);
    zones.set(name, zone);
  }
  return zone;
}

/** As many as there are in the database at the most. */
const zones = new Map<string, Zone>();

let packedByName: ReadonlyMap<string, string> | undefined;

/** Read when a policy first asks for a zone: most never do. */
function database(): ReadonlyMap<string, string> {
  if (packedByName !== undefined) return packedByName;
  const require = createRequire(import.meta.url);
  const data = require('moment-timezone/data/packed/latest.json') as { zones: string[]; links: string[] };
  const byName = new Map(data.zones.map((packed) => [packed.split('|')[0]!, packed]));
  for (const link of data.links) {
    const [target = '', alias = ''] = link.split('|');
    const packed = byName.get(target);
    if (packed !== undefined) byName.set(alias, packed);
  }
  packedByName = byName;
  return byName;
}

/** `name|abbreviations|offsets|periods|ends|…`, as moment-timezone packs it; its docs say how. */
class PackedZone implements Zone {
  /** Seconds since the epoch at which each period but the last ends. */
  private readonly ends: readonly number[];
  private readonly periods: readonly Offset[];

  constructor(packed: string) {
    const [, names = '', offsets = '', periods = '', ends = ''] = packed.split('|');
    const list = names.split(' ').map((name, i) => ({
      name,
      // Minutes west of Greenwich.
      seconds: 0 - secondsOf(offsets.split(' ')[i] ?? '0'),
    }));
    this.periods = Array.from(periods, (digit) => list[secondsOf(digit) / 60]!);
    let end = 0;
    this.ends = ends === '' ? [] : ends.split(' ').map((distance) => (end += secondsOf(distance)));
  }

  at(seconds: number): Offset {
    let low = 0;
    let high = this.ends.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (seconds < this.ends[middle]!) high = middle;
      else low = middle + 1;
    }
    return this.periods[low]!;
  }
}

const DIGITS = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWX';

/** Minutes to base 60, with seconds after a point, in seconds. */
function secondsOf(text: string): number {
  const [whole = '', fraction = ''] = text.replace('-', '').split('.');
  const minutes = Array.from(whole).reduce((sum, digit) => sum * 60 + DIGITS.indexOf(digit), 0);
  const seconds = minutes * 60 + (fraction === '' ? 0 : DIGITS.indexOf(fraction[0]!));
  return text.startsWith('-') ? -seconds : seconds;
}
