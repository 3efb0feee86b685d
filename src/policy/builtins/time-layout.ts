/**
 * Layouts of Go's time package: the reference time, Mon Jan 2 15:04:05 MST 2006, written as one wants it. What
 * isn't part of that is itself.
 */

export const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
] as const;

export const WEEKDAYS = [
  'Sunday',
  'Monday',
  'Tuesday',
  'Wednesday',
  'Thursday',
  'Friday',
  'Saturday',
] as const;

/** The layouts that Go has names for, as far as OPA takes them. */
export const NAMED_LAYOUTS: ReadonlyMap<string, string> = new Map([
  ['ANSIC', 'Mon Jan _2 15:04:05 2006'],
  ['UnixDate', 'Mon Jan _2 15:04:05 MST 2006'],
  ['RubyDate', 'Mon Jan 02 15:04:05 -0700 2006'],
  ['RFC822', '02 Jan 06 15:04 MST'],
  ['RFC822Z', '02 Jan 06 15:04 -0700'],
  ['RFC850', 'Monday, 02-Jan-06 15:04:05 MST'],
  ['RFC1123', 'Mon, 02 Jan 2006 15:04:05 MST'],
  ['RFC1123Z', 'Mon, 02 Jan 2006 15:04:05 -0700'],
  ['RFC3339', '2006-01-02T15:04:05Z07:00'],
  ['RFC3339Nano', '2006-01-02T15:04:05.999999999Z07:00'],
]);

export interface Part {
  /** What stands before the element. */
  readonly literal: string;
  /** As it is written in the layout, `2006` or `.000`; empty for the end. */
  readonly element: string;
}

/**
 * Where two could begin at one place the longer comes first. `_2006` is an underscore and a year; `Jan` and `Mon`
 * before a small letter are part of some other word; a fraction ends where its digits do.
 */
const ELEMENT = new RegExp(
  [
    'January|Jan(?![a-z])|Monday|Mon(?![a-z])|MST',
    '0[1-6]|002|15|1|2006|2|_(?=2006)|_2|__2|3|4|5|PM|pm',
    '[-Z]07(?:0000|:00:00|00|:00)?',
    '[.,](?:0+|9+)(?![0-9])',
  ].join('|'),
  'g',
);

/** @returns parts in their order; the last one has no element */
export function partsOf(layout: string): Part[] {
  const parts: Part[] = [];
  let from = 0;
  for (const match of layout.matchAll(ELEMENT)) {
    if (match[0] === '_') continue;
    parts.push({ literal: layout.slice(from, match.index), element: match[0] });
    from = match.index + match[0].length;
  }
  return [...parts, { literal: layout.slice(from), element: '' }];
}
