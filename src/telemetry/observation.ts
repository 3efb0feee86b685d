import type { Decision } from '../decision/decision.js';
import type { RequestFacts } from '../decision/facts.js';

/** One decision with the request it answered, for whoever watches. Durations are nanoseconds. */
export interface Observation {
  readonly decision: Decision;
  /** Absent when the request could not be understood. */
  readonly facts?: RequestFacts;
  /** Then this tells it: as much of the input as there is. */
  readonly trace?: RequestFacts['envoyInput'];
  readonly durations: { readonly facts: number; readonly response: number; readonly total: number };
}
