import { type DestinationStream, type Logger, pino } from 'pino';
import { createMask } from './masking.js';

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
        streamWrite: maskLine,
      },
    },
    destination,
  );
}

const mask = createMask();

/** Value by value: a replacement in the line as a whole could run past a quote, and end its being JSON. */
function maskLine(line: string): string {
  try {
    return `${JSON.stringify(mask(JSON.parse(line) as { [name: string]: unknown }).event)}\n`;
  } catch {
    return '{"level":"error","msg":"a log line was withheld, as it could not be masked"}\n';
  }
}
