import { z } from 'zod';
import { DURATION_PATTERN, durationWithin, parseDuration } from './duration.js';
import { pathFault } from './location.js';
import type { Fault } from './problem.js';

/** A check on one value; with `quote` the problem quotes the value as it is written in the file. */
export function check<T>(faultOf: (value: T) => Fault | undefined, quote = false) {
  return z.superRefine<T>((value, context) => {
    const fault = faultOf(value);
    if (fault !== undefined) context.addIssue(toIssue(fault, [], quote));
  });
}

/** The same for text that has to match a pattern, which the JSON Schema then has as well. */
export function matching(pattern: RegExp, fault: Fault) {
  return z
    .string()
    .check(check((text) => (pattern.test(text) ? undefined : fault), true))
    .meta({ pattern: pattern.source });
}

type FaultsOf = (value: unknown) => Iterable<readonly [path: PropertyKey[], fault: Fault]>;

/**
 * A check across a mapping or a list. It is made even where parts of the value are wrong, so that all
 * problems come at once: what it is given may be anything.
 */
export function checkAcross<T>(faultsOf: FaultsOf) {
  return z.superRefine<T>(addFaults(faultsOf), { when: () => true });
}

/** The same, made only where every part is right by itself: what is wrong may be missing from what it is given. */
export function checkTogether<T>(faultsOf: FaultsOf) {
  return z.superRefine<T>(addFaults(faultsOf));
}

function addFaults<T>(faultsOf: FaultsOf): Parameters<typeof z.superRefine<T>>[0] {
  return (value, context) => {
    for (const [path, fault] of faultsOf(value)) context.addIssue(toIssue(fault, path, false));
  };
}

function toIssue({ wrong, mend }: Fault, path: PropertyKey[], quote: boolean) {
  return { code: 'custom' as const, path, message: wrong, params: { mend, quote } };
}

/** A duration, written as text and given as milliseconds. */
export function duration(least: string, most: string, initial: string, description: string) {
  return durationText(least, most).prefault(initial).describe(`${description} From ${least} to ${most}.`);
}

/** The same for a key that may be left out, and then is not there. */
export function optionalDuration(least: string, most: string, description: string) {
  return durationText(least, most).optional().describe(`${description} From ${least} to ${most}.`);
}

function durationText(least: string, most: string) {
  return z
    .string()
    .check(check(durationWithin(least, most), true))
    .meta({ pattern: DURATION_PATTERN })
    .transform((text) => parseDuration(text)!);
}

/** The path of a file or a folder. */
export function path(description: string) {
  return z.string().check(check(pathFault)).describe(`${description} Relative to this file's folder.`);
}

export function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
