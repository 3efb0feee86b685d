import type { Readiness } from '../../admin/http.js';
import type { Hub } from '../../feed/feed.js';
import type { ReplayGuard } from '../../jws/replay.js';
import type { Log } from '../../telemetry/log.js';
import type { AskedServers } from './asked-servers.js';

/** What every part is given. */
export interface PartOptions {
  readonly hub: Hub;
  readonly log: Log;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** What a part is given that takes proofs of possession: all of them share one memory of the used ones. */
export interface ProvenOptions extends PartOptions {
  readonly replay: ReplayGuard;
}

/** What is given to what asks servers when a request needs it: all of them are told of in one place. */
export interface AskingOptions extends Pick<PartOptions, 'hub' | 'now'> {
  readonly servers: AskedServers;
}

/** A part of the running engine that keeps something fresh in the background. */
export interface EnginePart {
  /** How each of its sources stands, for readiness. No detail holds a secret. */
  checks(): Readiness['checks'];
  /** The same for the log: what is refreshed, and why the newest attempt failed. */
  standings(): readonly Standing[];
  stop(): void | Promise<void>;
}

export type Standing = readonly [what: string, error: string | undefined, how?: StandingKind];

/** `refreshed` ahead, so that the last one serves while the newest fails, or `asked` when a request needs it. */
export type StandingKind = 'refreshed' | 'asked';

/** A check that fails whenever the newest attempt did. */
export function standing(error: string | undefined): { ok: boolean; detail?: string } {
  return error === undefined ? { ok: true } : { ok: false, detail: error };
}
