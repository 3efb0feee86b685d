import { dayOfYear, weekday, type ZonedTime } from './civil-time.js';
import { MONTHS, partsOf, WEEKDAYS } from './time-layout.js';

/** A time written as a layout of Go has it. */
export function formatTime(time: ZonedTime, layout: string): string {
  return partsOf(layout)
    .map(({ literal, element }) => literal + write(time, element))
    .join('');
}

function write(time: ZonedTime, element: string): string {
  const { year, month, day, hour, minute, second, offset } = time;
  switch (element) {
    case '2006':
      return pad(year, 4);
    case '06':
      return pad(year % 100, 2);
    case 'January':
      return MONTHS[month - 1]!;
    case 'Jan':
      return MONTHS[month - 1]!.slice(0, 3);
    case '1':
      return String(month);
    case '01':
      return pad(month, 2);
    case 'Monday':
      return WEEKDAYS[weekday(time)]!;
    case 'Mon':
      return WEEKDAYS[weekday(time)]!.slice(0, 3);
    case '2':
      return String(day);
    case '_2':
      return String(day).padStart(2);
    case '02':
      return pad(day, 2);
    case '__2':
      return String(dayOfYear(time)).padStart(3);
    case '002':
      return pad(dayOfYear(time), 3);
    case '15':
      return pad(hour, 2);
    case '3':
      return String(hour % 12 || 12);
    case '03':
      return pad(hour % 12 || 12, 2);
    case '4':
      return String(minute);
    case '04':
      return pad(minute, 2);
    case '5':
      return String(second);
    case '05':
      return pad(second, 2);
    case 'PM':
      return hour >= 12 ? 'PM' : 'AM';
    case 'pm':
      return hour >= 12 ? 'pm' : 'am';
    case 'MST':
      return offset.name;
    case '':
      return '';
    default:
      return /^[.,]/.test(element)
        ? fraction(time.nanosecond, element)
        : numericOffset(offset.seconds, element);
  }
}

function pad(value: number, width: number): string {
  return String(value).padStart(width, '0');
}

/** `.000` is as wide as it says, `.999` leaves out zeros at the end; nanoseconds are all there is. */
function fraction(nanosecond: number, element: string): string {
  const digits = pad(nanosecond, 9).slice(0, element.length - 1);
  if (element[1] === '0') return element[0]! + digits;
  const trimmed = digits.replace(/0+$/, '');
  return trimmed === '' ? '' : element[0]! + trimmed;
}

/** `-07:00`; a `Z` in place of the `-` says that UTC is written so. */
function numericOffset(seconds: number, element: string): string {
  if (seconds === 0 && element.startsWith('Z')) return 'Z';
  // Whole minutes, towards zero: Go writes the sign of these, so that 30 seconds west are `+00:00:30`.
  const minutes = Math.trunc(seconds / 60);
  const rest = minutes < 0 ? -seconds : seconds;
  const sign = minutes < 0 ? '-' : '+';
  const parts = [Math.trunc(Math.abs(minutes) / 60), Math.abs(minutes) % 60, rest % 60];
  const wanted =
    element.replaceAll(':', '').length === 3 ? 1 : element.replaceAll(':', '').length === 5 ? 2 : 3;
  return (
    sign +
    parts
      .slice(0, wanted)
      .map((part) => pad(part, 2))
      .join(element.includes(':') ? ':' : '')
  );
}
