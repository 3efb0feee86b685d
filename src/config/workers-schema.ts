import { z } from 'zod';
import { check } from './checks.js';
import { durationWithin, parseDuration } from './duration.js';
import type { Fault } from './problem.js';

/** More than any machine this was tried on has processors; each costs memory of its own. */
const MOST_WORKERS = 256;

function workersFault(value: unknown): Fault | undefined {
  if (value === 'auto') return undefined;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= MOST_WORKERS)
    return undefined;
  return {
    wrong: 'is no number of workers',
    mend: `write a whole number from 1 to ${MOST_WORKERS}, or auto`,
  };
}

/** `workers`: how many processes answer. `auto` is as many as there are processors for them. */
export const workers = z
  .unknown()
  .check(check(workersFault, true))
  .meta({ anyOf: [{ type: 'integer', minimum: 1, maximum: MOST_WORKERS }, { const: 'auto' }] })
  .transform((value) => value as number | 'auto')
  .prefault(1)
  .describe(
    'Processes that answer. One is the whole server by itself; with more, another one supervises them. auto is one for each processor.',
  );

const withinAge = durationWithin('1s', '7d');

function ageFault(text: string): Fault | undefined {
  if (text === 'auto' || text === 'off') return undefined;
  const fault = withinAge(text);
  return fault && { wrong: fault.wrong, mend: `${fault.mend}, or auto, or off` };
}

/** `listen.max_connection_age`, in milliseconds where it is a duration. */
export const connectionAge = z
  .string()
  .check(check(ageFault, true))
  .meta({ pattern: '^(auto|off|(0|[1-9][0-9]*)(ms|s|m|h|d))$' })
  .transform((text) => (text === 'auto' || text === 'off' ? text : parseDuration(text)!))
  .prefault('auto')
  .describe(
    'The age at which a connection is ended, without losing a call, so that it may come back to another worker: a duration from 1s to 7d, off, or auto, which is 10m with several workers and off with one.',
  );
