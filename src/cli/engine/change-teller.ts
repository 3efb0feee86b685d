import type { Log } from '../../telemetry/log.js';
import type { EnginePart, StandingKind } from './part.js';

/** Milliseconds between two looks at what is refreshed, for the log. */
const CHANGES = 5_000;

const WORDS: { readonly [kind in StandingKind]: { readonly failing: string; readonly well: string } } = {
  refreshed: {
    failing: 'not refreshed; the last good one serves as long as it may',
    well: 'refreshed again',
  },
  asked: { failing: 'no answer; what needs one is denied', well: 'it answers again' },
};

/** Logs when something that is refreshed begins to fail, fails in another way, or works again. */
export interface ChangeTeller {
  tell(): void;
  stop(): void;
}

export function startChangeTeller(log: Log, parts: readonly EnginePart[]): ChangeTeller {
  const told = new Map<string, string | undefined>();
  const tell = () => {
    for (const [what, error, kind = 'refreshed'] of parts.flatMap((part) => part.standings())) {
      if (told.get(what) === error) continue;
      told.set(what, error);
      const { failing, well } = WORDS[kind];
      if (error === undefined) log.info({ what }, well);
      else log.warn({ what, error }, failing);
    }
  };
  const look = setInterval(tell, CHANGES);
  look.unref();
  return { tell, stop: () => clearInterval(look) };
}
