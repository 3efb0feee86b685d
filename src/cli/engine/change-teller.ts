import type { Log } from '../../telemetry/log.js';
import type { EnginePart } from './part.js';

/** Milliseconds between two looks at what is refreshed, for the log. */
const CHANGES = 5_000;

/** Logs when something that is refreshed begins to fail, fails in another way, or works again. */
export interface ChangeTeller {
  tell(): void;
  stop(): void;
}

export function startChangeTeller(log: Log, parts: readonly EnginePart[]): ChangeTeller {
  const told = new Map<string, string | undefined>();
  const tell = () => {
    for (const [what, error] of parts.flatMap((part) => part.standings())) {
      if (told.get(what) === error) continue;
      told.set(what, error);
      if (error === undefined) log.info({ what }, 'refreshed again');
      else log.warn({ what, error }, 'not refreshed; the last good one serves as long as it may');
    }
  };
  const look = setInterval(tell, CHANGES);
  look.unref();
  return { tell, stop: () => clearInterval(look) };
}
