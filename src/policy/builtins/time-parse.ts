import { BuiltinError } from './builtin.js';
import { type Civil, daysIn, instantOf } from './civil-time.js';
import { MONTHS, type Part, partsOf, WEEKDAYS } from './time-layout.js';
import { UTC } from './time-zone.js';

/**
 * The instant that a text says by a layout of Go, in nanoseconds since the epoch. Without a zone it is UTC; an
 * abbreviation of a zone counts as UTC too, as on a server whose own zone is UTC, since by itself it says nothing
 * (`IST` is three zones); `GMT+2` counts.
 *
 * @throws BuiltinError for a text that isn't so, for what no calendar has, and outside of 1677 to 2262
 */
export function parseTime(layout: string, text: string): bigint {
  const fields = new Reading(text).read(partsOf(layout));
  const civil = { ...date(fields), hour: hourOf(fields), minute: fields.minute, second: fields.second };
  const shown = { ...civil, nanosecond: fields.nanosecond };
  // Offset by seconds: an instant at the very edge of 64 bits may be shown by a clock beyond it.
  return instantOf({ ...shown, second: shown.second - fields.offset }, UTC);
}

interface Fields {
  year: number;
  month: number | undefined;
  day: number | undefined;
  yearDay: number | undefined;
  hour: number;
  minute: number;
  second: number;
  nanosecond: number;
  afternoon: boolean | undefined;
  /** Seconds east of Greenwich. */
  offset: number;
}

function fail(what: string): never {
  throw new BuiltinError(`parsing time: ${what}`);
}

function hourOf({ hour, afternoon }: Fields): number {
  if (afternoon === true && hour < 12) return hour + 12;
  return afternoon === false && hour === 12 ? 0 : hour;
}

function date({ year, month, day, yearDay }: Fields): Pick<Civil, 'year' | 'month' | 'day'> {
  if (yearDay !== undefined) return byYearDay(year, yearDay, month, day);
  const found = { year, month: month ?? 1, day: day ?? 1 };
  if (found.day < 1 || found.day > daysIn(year, found.month)) fail('day out of range');
  return found;
}

function byYearDay(year: number, yearDay: number, month?: number, day?: number) {
  let [inMonth, rest] = [1, yearDay];
  while (inMonth < 12 && rest > daysIn(year, inMonth)) rest -= daysIn(year, inMonth++);
  if (rest < 1 || rest > daysIn(year, inMonth)) fail('day-of-year out of range');
  if (month !== undefined && month !== inMonth) fail('day-of-year does not match month');
  if (day !== undefined && day !== rest) fail('day-of-year does not match day');
  return { year, month: inMonth, day: rest };
}

/** The zone abbreviations that Go believes in: three capitals, or more that end in T, and three by name. */
const ABBREVIATION = /^(?:ChST|MeST|[A-Z]{4}T(?![A-Z])|(?:[A-Z]{3}T|WITA)(?![A-Z])|[A-Z]{3}(?![A-Z]))/;

class Reading {
  private rest: string;
  private readonly fields: Fields = {
    year: 0,
    month: undefined,
    day: undefined,
    yearDay: undefined,
    hour: 0,
    minute: 0,
    second: 0,
    nanosecond: 0,
    afternoon: undefined,
    offset: 0,
  };

  /** By `Z07:00` or `-0700`, which counts before an abbreviation does. */
  private numeric: number | undefined;
  private utc = false;
  private named = 0;

  constructor(text: string) {
    this.rest = text;
  }

  read(parts: readonly Part[]): Fields {
    parts.forEach(({ literal, element }, i) => {
      this.skip(literal);
      this.element(element, parts[i + 1]?.element ?? '');
    });
    if (this.rest !== '') fail('extra text');
    return { ...this.fields, offset: this.utc ? 0 : (this.numeric ?? this.named) };
  }

  /** Any number of spaces, none too, stand for one or more in the layout — unless something else is there. */
  private skip(literal: string): void {
    for (const [piece] of literal.matchAll(/ +|[^ ]+/g)) {
      if (piece.startsWith(' ')) {
        if (this.rest !== '' && !this.rest.startsWith(' ')) fail('a space is missing');
        this.rest = this.rest.replace(/^ +/, '');
      } else {
        if (!this.rest.startsWith(piece)) fail('it does not match the layout');
        this.rest = this.rest.slice(piece.length);
      }
    }
  }

  private element(element: string, next: string): void {
    const { fields } = this;
    switch (element) {
      case '2006':
        fields.year = Number(this.take(/^[0-9]{4}/));
        return;
      case '06':
        fields.year = shortYear(Number(this.take(/^(?:[0-9]{2}|[-+][0-9])/)));
        return;
      case 'January':
        fields.month = this.name(MONTHS) + 1;
        return;
      case 'Jan':
        fields.month = this.name(MONTHS.map((name) => name.slice(0, 3))) + 1;
        return;
      case '1':
      case '01':
        fields.month = this.number(element.length, 1, 12);
        return;
      case 'Monday':
        this.name(WEEKDAYS);
        return;
      case 'Mon':
        this.name(WEEKDAYS.map((name) => name.slice(0, 3)));
        return;
      case '_2':
        this.rest = this.rest.replace(/^ /, '');
        fields.day = this.number(1, 0, 99);
        return;
      case '2':
      case '02':
        fields.day = this.number(element.length, 0, 99);
        return;
      case '__2':
        fields.yearDay = Number(this.take(/^ {0,2}[0-9]{1,3}/));
        return;
      case '002':
        fields.yearDay = Number(this.take(/^[0-9]{3}/));
        return;
      case '15':
        fields.hour = this.number(1, 0, 23);
        return;
      case '3':
      case '03':
        fields.hour = this.number(element.length, 0, 12);
        return;
      case '4':
      case '04':
        fields.minute = this.number(element.length, 0, 59);
        return;
      case '5':
      case '05':
        fields.second = this.number(element.length, 0, 59);
        // A fraction may follow though the layout has none.
        if (!/^[.,]/.test(next)) this.fraction(/^[.,][0-9]+/);
        return;
      case 'PM':
        fields.afternoon = this.take(/^[AP]M/) === 'PM';
        return;
      case 'pm':
        fields.afternoon = this.take(/^[ap]m/) === 'pm';
        return;
      case 'MST':
        this.abbreviation();
        return;
      case '':
        return;
      default:
        this.unnamed(element);
    }
  }

  private unnamed(element: string): void {
    if (!/^[.,]/.test(element)) this.numericOffset(element);
    else if (element[1] === '9') this.fraction(/^[.,][0-9]+/);
    else if (!this.fraction(new RegExp(`^[.,][0-9]{${element.length - 1}}`))) fail('a fraction is missing');
  }

  private take(pattern: RegExp): string {
    const found = pattern.exec(this.rest)?.[0];
    if (found === undefined) fail('it does not match the layout');
    this.rest = this.rest.slice(found.length);
    return found;
  }

  /** One or two digits, just two where the layout has two. */
  private number(width: number, least: number, most: number): number {
    const found = Number(this.take(width === 2 ? /^[0-9]{2}/ : /^[0-9]{1,2}/));
    if (found < least || found > most) fail('out of range');
    return found;
  }

  /** In any case; the first that fits. */
  private name(names: readonly string[]): number {
    const lower = this.rest.slice(0, 9).toLowerCase();
    const found = names.findIndex((name) => lower.startsWith(name.toLowerCase()));
    if (found < 0) fail('it does not match the layout');
    this.rest = this.rest.slice(names[found]!.length);
    return found;
  }

  /** Digits after the ninth are dropped. */
  private fraction(pattern: RegExp): boolean {
    const found = pattern.exec(this.rest)?.[0];
    if (found === undefined) return false;
    this.rest = this.rest.slice(found.length);
    this.fields.nanosecond = Number(found.slice(1, 10).padEnd(9, '0'));
    return true;
  }

  private numericOffset(element: string): void {
    if (element.startsWith('Z') && this.rest.startsWith('Z')) {
      this.rest = this.rest.slice(1);
      this.utc = true;
      return;
    }
    const shape = element.slice(1).replace(/[0-9]{2}/g, '([0-9]{2})');
    const found = new RegExp(`^([-+])${shape}`).exec(this.rest);
    if (found === null) fail('it does not match the layout');
    this.rest = this.rest.slice(found[0].length);
    const [hours, minutes, seconds] = [2, 3, 4].map((group) => Number(found[group] ?? '0')) as [
      number,
      number,
      number,
    ];
    // Go lets an offset of 24 hours pass, and 60 minutes.
    if (hours > 24 || minutes > 60 || seconds > 60) fail('time zone offset out of range');
    const offset = (hours * 60 + minutes) * 60 + seconds;
    this.numeric = found[1] === '-' ? -offset : offset;
  }

  private abbreviation(): void {
    if (this.rest.startsWith('UTC')) {
      this.rest = this.rest.slice(3);
      this.utc = true;
      return;
    }
    const signed = /^(GMT)?([-+][0-9]+)/.exec(this.rest);
    if (signed !== null && Math.abs(Number(signed[2])) <= 23) {
      this.rest = this.rest.slice(signed[0].length);
      this.named = signed[1] === undefined ? 0 : Number(signed[2]) * 3600;
      return;
    }
    this.named = 0;
    if (this.rest.startsWith('GMT')) this.rest = this.rest.slice(3);
    else this.take(ABBREVIATION);
  }
}

/** 69 to 99 are the last century's. */
function shortYear(year: number): number {
  return year >= 69 ? year + 1900 : year + 2000;
}
