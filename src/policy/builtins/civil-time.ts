import { BuiltinError } from './builtin.js';
import { type Offset, type Zone } from './time-zone.js';

/** What calendar and clock show. Months from 1. */
export interface Civil {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly nanosecond: number;
}

/** An instant in some place. */
export interface ZonedTime extends Civil {
  readonly offset: Offset;
}

const BILLION = 1_000_000_000n;
const [EARLIEST, LATEST] = [-(1n << 63n), (1n << 63n) - 1n];

/** @param ns since the epoch */
export function civilAt(ns: bigint, zone: Zone): ZonedTime {
  const nanosecond = ((ns % BILLION) + BILLION) % BILLION;
  const seconds = Number((ns - nanosecond) / BILLION);
  const offset = zone.at(seconds);
  const date = new Date((seconds + offset.seconds) * 1000);
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    second: date.getUTCSeconds(),
    nanosecond: Number(nanosecond),
    offset,
  };
}

/**
 * The instant when a clock in the zone shows this, in nanoseconds since the epoch. Of a time that the clock shows
 * twice or never, one of the two offsets around it is taken, as Go does. Values past their range carry over: month
 * 13 is January.
 *
 * @throws BuiltinError for an instant that 64 bits don't hold (1677 to 2262)
 */
export function instantOf(civil: Civil, zone: Zone): bigint {
  const date = new Date(0);
  // Date.UTC takes the years 0 to 99 for 1900 to 1999.
  date.setUTCFullYear(civil.year, civil.month - 1, civil.day);
  const midnight = date.getTime() / 1000;
  if (Number.isNaN(midnight)) throw outOfRange();
  const shown = midnight + civil.hour * 3600 + civil.minute * 60 + civil.second;
  const guess = zone.at(shown).seconds;
  const seconds = guess === 0 ? shown : shown - zone.at(shown - guess).seconds;
  return inRange(BigInt(seconds) * BILLION + BigInt(civil.nanosecond));
}

/**
 * @throws BuiltinError for nanoseconds that 64 bits don't hold
 */
export function inRange(ns: bigint): bigint {
  if (ns < EARLIEST || ns > LATEST) throw outOfRange();
  return ns;
}

function outOfRange(): BuiltinError {
  return new BuiltinError('time outside of valid range');
}

export function daysIn(year: number, month: number): number {
  const date = new Date(0);
  date.setUTCFullYear(year, month, 0);
  return date.getUTCDate();
}

/** From 1, for 1 January. */
export function dayOfYear({ year, month, day }: Civil): number {
  let days = day;
  for (let earlier = 1; earlier < month; earlier++) days += daysIn(year, earlier);
  return days;
}

/** From 0, for Sunday. */
export function weekday({ year, month, day }: Civil): number {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  return date.getUTCDay();
}
