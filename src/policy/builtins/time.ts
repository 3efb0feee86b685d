import { fromInteger, toInteger } from '../number.js';
import { type RegoValue, typeOf } from '../value.js';
import { type BuiltinContext, BuiltinError, type Builtins, operand } from './builtin.js';
import { type Civil, civilAt, daysIn, inRange, instantOf, weekday, type ZonedTime } from './civil-time.js';
import { int64 } from './int64.js';
import { parseDuration } from './duration.js';
import { formatTime } from './time-format.js';
import { NAMED_LAYOUTS, WEEKDAYS } from './time-layout.js';
import { parseTime } from './time-parse.js';
import { type Zone, zoneOf } from './time-zone.js';

const RFC3339 = NAMED_LAYOUTS.get('RFC3339')!;

/** time.* */
export const TIME: Builtins = {
  'time.now_ns': ({ now }: BuiltinContext) => fromInteger(now),
  'time.add_date': addDate,
  'time.clock': (_: BuiltinContext, ...operands: RegoValue[]) => {
    const { hour, minute, second } = civil(operands[0]!);
    return [hour, minute, second];
  },
  'time.date': (_: BuiltinContext, ...operands: RegoValue[]) => {
    const { year, month, day } = civil(operands[0]!);
    return [year, month, day];
  },
  'time.diff': diff,
  'time.format': format,
  'time.parse_duration_ns': (_: BuiltinContext, ...operands: RegoValue[]) =>
    fromInteger(parseDuration(operand(operands[0]!, 1, 'string'))),
  'time.parse_ns': (_: BuiltinContext, ...operands: RegoValue[]) => {
    const layout = operand(operands[0]!, 1, 'string');
    return fromInteger(parseTime(NAMED_LAYOUTS.get(layout) ?? layout, operand(operands[1]!, 2, 'string')));
  },
  'time.parse_rfc3339_ns': (_: BuiltinContext, ...operands: RegoValue[]) =>
    fromInteger(parseTime(RFC3339, operand(operands[0]!, 1, 'string'))),
  'time.weekday': (_: BuiltinContext, ...operands: RegoValue[]) => WEEKDAYS[weekday(civil(operands[0]!))]!,
};

interface Moment {
  /** Since the epoch. */
  readonly ns: bigint;
  readonly zone: Zone;
  readonly layout: string;
}

/**
 * Nanoseconds, or `[nanoseconds, zone, layout]` of which the latter two may be left out.
 *
 * @throws BuiltinError for anything else, and for a number that is no integer of 64 bits
 */
function moment(value: RegoValue): Moment {
  const [ns, zone = '', layout = ''] =
    typeOf(operand(value, 1, 'number', 'array')) === 'array' ? (value as readonly RegoValue[]) : [value];
  if (ns === undefined)
    throw new BuiltinError(
      'operand 1 must be either number (ns) or [number (ns), string (tz)] but got array',
    );
  const found = toInteger(operand(ns, 1, 'number'));
  if (found === undefined || BigInt.asIntN(64, found) !== found) throw new BuiltinError('timestamp too big');
  return { ns: found, zone: zoneOf(operand(zone, 1, 'string')), layout: operand(layout, 1, 'string') };
}

function civil(value: RegoValue): ZonedTime {
  const { ns, zone } = moment(value);
  return civilAt(ns, zone);
}

function format(_: BuiltinContext, ...operands: RegoValue[]): RegoValue {
  const { ns, zone, layout } = moment(operands[0]!);
  const wanted = layout === '' ? 'RFC3339Nano' : layout;
  return formatTime(civilAt(ns, zone), NAMED_LAYOUTS.get(wanted) ?? wanted);
}

/** Years, months and days that no instant of 64 bits is away from another. */
const FARTHEST = 1_000_000n;

function addDate(_: BuiltinContext, ...operands: RegoValue[]): RegoValue {
  const { ns, zone } = moment(operands[0]!);
  const [years, months, days] = [2, 3, 4].map((position) => {
    const amount = int64(operands[position - 1]!, position);
    if (amount > FARTHEST || amount < -FARTHEST) throw new BuiltinError('time outside of valid range');
    return Number(amount);
  }) as [number, number, number];
  const from = civilAt(ns, zone);
  // In UTC nothing is shown twice, so that even the first and the last instant come back as they were.
  const to = { ...from, year: from.year + years, month: from.month + months, day: from.day + days };
  return fromInteger(inRange(instantOf(to, zone)));
}

const LARGEST = { month: 12, hour: 24, minute: 60, second: 60 } as const;

/** Whole years, months, days, hours, minutes and seconds between two times, in the zone of the first. */
function diff(_: BuiltinContext, ...operands: RegoValue[]): RegoValue {
  const [one, other] = [moment(operands[0]!), moment(operands[1]!)];
  const [earlier, later] = one.ns > other.ns ? [other.ns, one.ns] : [one.ns, other.ns];
  const [from, to] = [civilAt(earlier, one.zone), civilAt(later, one.zone)];
  const steps = ['second', 'minute', 'hour', 'day', 'month', 'year'] as const;
  let borrowed = 0;
  const parts = steps.map((step: keyof Civil) => {
    let part = to[step] - from[step] - borrowed;
    borrowed = Number(part < 0);
    if (part < 0) part += step === 'day' ? daysIn(from.year, from.month) : (LARGEST[step as 'month'] ?? 0);
    return part;
  });
  return parts.reverse();
}
