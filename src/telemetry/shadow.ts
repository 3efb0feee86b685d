import { parseExact, stringifyExact } from '../json/exact.js';
import type { Observation } from './observation.js';
import type { ShadowOutcome } from './policy-metrics.js';

type Evidence = NonNullable<Observation['decision']['policy']>;
type Result = NonNullable<Evidence['result']>;

/** What the shadow policy answered. */
export interface ShadowAnswer {
  readonly revision: string;
  readonly bundles: NonNullable<Evidence['bundles']>;
  /** JSON of its result; absent where it came to none. */
  readonly result?: string;
  /** Then this is why. */
  readonly code?: string;
  readonly detail?: string;
  /** That it took. */
  readonly milliseconds: number;
}

export interface ShadowOptions {
  /** Of the decisions that a policy made; from 0 to 1. */
  readonly share: number;
  /** Asked in place of the entrypoint that decided. */
  readonly entrypoint?: string | undefined;
  /**
   * @param input JSON text
   * @param now milliseconds since the epoch, those of the decision
   * @returns undefined where there is nobody to ask
   */
  readonly evaluate: (entrypoint: string, input: string, now: number) => Promise<ShadowAnswer | undefined>;
  readonly random: () => number;
  readonly onOutcome: (outcome: ShadowOutcome) => void;
  readonly onDifference: (difference: ShadowDifference) => void;
}

/** A decision that the shadow policy would have made otherwise. */
export interface ShadowDifference {
  readonly observation: Observation;
  readonly difference: Exclude<ShadowOutcome, 'same' | 'dropped'>;
  readonly answer: ShadowAnswer;
  /** Its entrypoint. */
  readonly path: string;
  readonly result?: Result;
}

/** Decisions that wait; one more is dropped. Each keeps its input in memory. */
const MOST_WAITING = 64;

/** Milliseconds of work that are made up for by as many of rest: so it takes half a processor at most. */
const DEBT = 5;

export interface Shadow {
  /** Never throws and never waits. */
  offer(observation: Observation): void;
}

/** Asks another policy about decisions that have been made, one at a time, and compares. */
export function createShadow(options: ShadowOptions): Shadow {
  const { share, evaluate, random, onOutcome, onDifference } = options;
  const waiting: { observation: Observation; evidence: Evidence }[] = [];
  let working = false;

  async function judge(observation: Observation, evidence: Evidence): Promise<number> {
    const path = options.entrypoint ?? evidence.entrypoint;
    const answer = await evaluate(path, stringifyExact(evidence.input), observation.decision.at);
    if (answer === undefined) {
      onOutcome('dropped');
      return 0;
    }
    const outcome = compare(evidence.result, answer);
    onOutcome(outcome);
    if (outcome !== 'same') {
      const result =
        answer.result === undefined ? undefined : (parseExact(answer.result, DEEP) as unknown as Result);
      onDifference({ observation, difference: outcome, answer, path, ...(result && { result }) });
    }
    return answer.milliseconds;
  }

  async function work(): Promise<void> {
    let debt = 0;
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      try {
        debt += await judge(next.observation, next.evidence);
      } catch {
        onOutcome('error');
      }
      if (debt < DEBT) continue;
      await new Promise((resolve) => void setTimeout(resolve, debt).unref());
      debt = 0;
    }
  }

  return {
    offer(observation) {
      const evidence = observation.decision.policy;
      if (evidence === undefined || random() >= share) return;
      if (waiting.length >= MOST_WAITING) {
        onOutcome('dropped');
        return;
      }
      waiting.push({ observation, evidence });
      if (working) return;
      working = true;
      // The answer has been handed over; let it reach the socket first.
      setImmediate(() => void work().finally(() => (working = false)));
    },
  };
}

const DEEP = { maxDepth: 1000 };

function compare(live: Result | undefined, answer: ShadowAnswer): Exclude<ShadowOutcome, 'dropped'> {
  // A policy that says nothing denies; one that fails is not one to compare with.
  if (answer.result === undefined && answer.code !== 'policy_undefined') return 'error';
  const allowed =
    answer.result !== undefined && (parseExact(answer.result, DEEP) as unknown as Result).allowed;
  if (allowed !== (live?.allowed ?? false)) return allowed ? 'deny_to_allow' : 'allow_to_deny';
  return (live && stringifyExact(live)) === answer.result ? 'same' : 'different';
}
