import type { Fault } from './problem.js';

/** A whole number and one unit; JSON Schema's `pattern` for every duration. */
export const DURATION_PATTERN = '^(0|[1-9][0-9]*)(ms|s|m|h|d)$';

const DURATION = new RegExp(DURATION_PATTERN);
const MILLISECONDS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Reads `250ms`, `30s`, `5m`, `1h`, `7d` as milliseconds; `undefined` for anything else. */
export function parseDuration(text: string): number | undefined {
  const match = DURATION.exec(text);
  return match === null ? undefined : Number(match[1]) * MILLISECONDS[match[2]!]!;
}

/** A check for a duration between two others, both included. */
export function durationWithin(least: string, most: string): (text: string) => Fault | undefined {
  const from = parseDuration(least)!;
  const to = parseDuration(most)!;
  return (text) => {
    const milliseconds = parseDuration(text);
    if (milliseconds === undefined) {
      return { wrong: 'is not a duration', mend: 'write a whole number and a unit: 250ms, 30s, 5m, 1h, 7d' };
    }
    if (milliseconds >= from && milliseconds <= to) return undefined;
    return { wrong: 'is out of range', mend: `write a duration from ${least} to ${most}` };
  };
}
