import { parseExact, stringifyExact, type ExactJson } from '../../json/exact.js';
import { readResult } from '../../policy/result.js';
import type { Policy } from '../../policy/types.js';
import { isRefusal } from '../../errors/refusal.js';
import { Failure } from '../failure.js';

/** What one event of the decision log says. */
export interface LoggedDecision {
  readonly id: string;
  readonly reason?: string;
  readonly detail?: string;
  /** Absent where the request was refused before the policy was asked. */
  readonly entrypoint?: string;
  readonly revision?: string;
  readonly input: ExactJson;
  readonly result?: ExactJson;
  /** Milliseconds since the epoch. */
  readonly at?: number;
  /** JSON pointers to what of the input is not in the log as it was. */
  readonly incomplete: readonly string[];
}

type Event = { readonly [name: string]: ExactJson | undefined };

/**
 * Finds an event in the text of a decision log. Lines that are none are passed over.
 *
 * @param source is what messages call the text
 * @throws Failure when there is none, or more than one and no id that picks one
 */
export function readLoggedDecision(text: string, source: string, id?: string): LoggedDecision {
  const events = text.split('\n').flatMap((line) => {
    const event = readEvent(line);
    return event ? [event] : [];
  });
  if (events.length === 0)
    throw new Failure(`${source}: no decision in it (a line of JSON with decision_id and input)`);
  const chosen = id === undefined ? events : events.filter((event) => event.decision_id === id);
  if (chosen.length === 0) throw new Failure(`${source}: no decision with the id ${id}`);
  if (chosen.length > 1)
    throw new Failure(`${source}: ${chosen.length} decisions in it; pick one with --id DECISION_ID`);
  return toDecision(chosen[0]!, source);
}

function readEvent(line: string): Event | undefined {
  if (!line.trimStart().startsWith('{')) return undefined;
  try {
    const event = parseExact(line) as Event;
    return typeof event.decision_id === 'string' ? event : undefined;
  } catch {
    return undefined;
  }
}

function toDecision(event: Event, source: string): LoggedDecision {
  const { input } = event;
  if (input === undefined || input === null)
    throw new Failure(
      `${source}: the input is not in the event; an event longer than 64 KiB is logged without it`,
    );
  const at = Date.parse(String(event.timestamp));
  const bundles = event.bundles as { readonly [name: string]: { readonly revision?: string } } | undefined;
  const revision = Object.values(bundles ?? {})[0]?.revision;
  const text = (value: ExactJson | undefined) => (typeof value === 'string' ? value : undefined);
  const reason = text(event.reason);
  const detail = text(event.detail);
  const entrypoint = text(event.path);
  return {
    id: String(event.decision_id),
    ...(reason !== undefined && { reason }),
    ...(detail !== undefined && { detail }),
    ...(entrypoint !== undefined && { entrypoint: entrypoint.replace(/^\//, '') }),
    ...(revision !== undefined && { revision }),
    input,
    ...(event.result !== undefined && { result: event.result }),
    ...(!Number.isNaN(at) && { at }),
    incomplete: [...pointers(event.erased), ...pointers(event.masked)]
      .filter((pointer) => pointer.startsWith('/input'))
      .sort(),
  };
}

function pointers(list: ExactJson | undefined): string[] {
  return Array.isArray(list) ? list.filter((item): item is string => typeof item === 'string') : [];
}

/** The input as text again, exactly. */
export function inputText({ input }: LoggedDecision): string {
  return stringifyExact(input);
}

/** Left out of every event, and read by hardly any policy. */
const USUAL =
  /^\/input\/attributes\/(source\/certificate|destination\/certificate|request\/http\/(headerMap|rawBody|headers\/(authorization|cookie|x-forwarded-client-cert)))$/;

/**
 * What makes the explanation another one than that of the request: another revision, what the log left out, and
 * an answer that is not the one in the log.
 */
export function compareLogged(
  logged: LoggedDecision,
  policy: Policy,
  { entrypoint, revision }: { readonly entrypoint: string; readonly revision?: string },
): string[] {
  const notes: string[] = [];
  const left = logged.incomplete.filter((pointer) => !USUAL.test(pointer));
  if (left.length > 0)
    notes.push(`the log has these erased or masked, so the policy sees less here: ${left.join(', ')}`);
  else if (logged.incomplete.length > 0)
    notes.push('credentials are left out of the log, so a policy that reads them sees less here');
  if (logged.revision !== undefined && logged.revision !== revision)
    notes.push(
      `the decision was made by revision ${logged.revision}, and this folder is ${revision}: another policy, or one that came as a bundle`,
    );
  const now = policy.evaluate(entrypoint, logged.input, logged.at ?? 0);
  const allowed = isRefusal(now) ? undefined : now.allowed;
  const then = readResult(logged.result);
  const before = isRefusal(then) ? undefined : then.allowed;
  if (allowed !== before)
    notes.push(
      `this is not the answer that was given then: the policy ${word(before)}, and now ${word(allowed)}`,
    );
  return notes;
}

function word(allowed: boolean | undefined): string {
  if (allowed === undefined) return 'gave no usable result';
  return allowed ? 'allowed the request' : 'denied the request';
}
