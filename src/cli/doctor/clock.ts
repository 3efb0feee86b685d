import type { Notebook, Place } from './finding.js';

/** Seconds that two clocks may differ by: `Date` counts in seconds, and an answer takes its time. */
const TOLERANCE = 5;

/** @param leeway seconds that the configuration allows besides */
export function checkClock(notebook: Notebook, place: Place, ahead: number | undefined, leeway = 0): void {
  if (ahead === undefined || Math.abs(ahead) <= TOLERANCE + leeway) return;
  const seconds = Math.round(Math.abs(ahead));
  notebook.add(
    'clock_skew',
    place,
    `its clock is ${seconds} s ${ahead > 0 ? 'ahead of' : 'behind'} this machine's`,
    'keep both with NTP; find out with `date -u` which of them is wrong',
  );
}
