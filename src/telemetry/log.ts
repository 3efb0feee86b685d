import { type DestinationStream, type Logger, pino } from 'pino';
import { maskText } from './masking.js';

/** The server's own log: what it does, and what is wrong. JSON lines. */
export type Log = Logger;

/**
 * @param destination standard error unless given: standard output is the decision log's
 */
export function createLog(level: string, destination: DestinationStream = pino.destination(2)): Log {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      hooks: {
        // The last door: what looks like a credential does not get out, whoever put it into the line.
        streamWrite: (line) => maskText(line),
      },
    },
    destination,
  );
}
