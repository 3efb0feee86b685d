import { isRefusal } from '../errors/refusal.js';
import type { RegoSource } from './source.js';
import type { RegoErrors } from './errors.js';
import { ask, filesOf, invalid, type WireError } from './wire.js';

/** A value for programs, and the same in Rego's own notation: JSON has no sets. */
export interface ShownValue {
  readonly json: unknown;
  readonly text: string;
}

/** Where something stands in the sources; from 1. */
export interface Placed {
  readonly file?: string;
  readonly row?: number;
  readonly col?: number;
}

/** What an entrypoint came to, and how. The names are those of `countersign explain --format json`. */
export interface Explanation {
  /** Absent where the entrypoint is undefined, or the evaluation ended in an error. */
  readonly value?: ShownValue;
  readonly error?: WireError;
  readonly rules: readonly RuleNode[] | null;
  /** Calls of built-ins that gave up, each of which left its expression undefined. */
  readonly failed_builtins?: readonly WireError[];
  /** The evaluation was too long to be told to its end. */
  readonly cut?: boolean;
}

/** A rule, or one call of a function. */
export interface RuleNode {
  /** `data.mesh.authz.allow` */
  readonly name: string;
  /** Of this call of a function; absent for a rule. */
  readonly args?: readonly ShownValue[];
  readonly value?: ShownValue;
  /** The definitions are told where the rule was first met. */
  readonly elsewhere?: boolean;
  readonly definitions?: readonly Definition[];
}

export interface Definition extends Placed {
  readonly text: string;
  readonly default?: boolean;
  readonly held: boolean;
  /** The arguments are not those that the head asks for. */
  readonly mismatch?: boolean;
  readonly steps?: readonly Step[];
}

/** One expression, over all the values that reached it. */
export interface Step extends Placed {
  readonly text: string;
  /** It is the head's value, and not an expression of the body. */
  readonly head?: boolean;
  /** Solutions that it let through. */
  readonly passed: number;
  /** Tries that ended here. */
  readonly failed: number;
  readonly rules?: readonly RuleNode[];
  /** A comprehension in it that left something out. */
  readonly inner?: readonly InnerBody[];
  /** The first of the tries that failed. */
  readonly failures?: readonly StepFailure[];
}

/** The body of an `every` or a comprehension that did not hold. */
export interface InnerBody {
  readonly kind: string;
  readonly steps: readonly Step[];
}

export interface StepFailure {
  /** Variables of the expression. */
  readonly bindings?: readonly TermValue[];
  /** Everything else in it. */
  readonly values?: readonly TermValue[];
  readonly calls?: readonly RuleNode[];
  readonly inner?: readonly InnerBody[];
  /** What a built-in said that gave up. */
  readonly builtin?: string;
}

/** A term with its value; without one it is undefined, and `missing` is the first part that is not there. */
export interface TermValue {
  readonly term: string;
  readonly value?: ShownValue;
  readonly missing?: string;
  readonly parent?: string;
  /** Of the parent, where it is an object; otherwise `type` says what it is. */
  readonly keys?: readonly string[] | null;
  readonly type?: string;
}

export interface ExplainOptions {
  /** `package/rule` */
  readonly entrypoint: string;
  /** JSON text, so that no number is rounded; absent where there is no input. */
  readonly input?: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Failures of one expression that are told with their values. Default 20. */
  readonly mostFailures?: number;
}

/**
 * Evaluates an entrypoint with OPA's own evaluator, every rule of it, and tells which expressions held and which
 * did not. Nothing in the answer is masked. Takes a second or so, none of it on the event loop.
 */
export async function explainRego(
  sources: readonly RegoSource[],
  { entrypoint, input, now, mostFailures = 20 }: ExplainOptions,
): Promise<Explanation | RegoErrors> {
  const answer = await ask<Explanation & { readonly errors?: readonly WireError[] }>('explain', {
    files: filesOf(sources),
    entrypoint,
    input: input ?? '',
    time_ns: Math.trunc(now) * 1_000_000,
    most_failures: mostFailures,
  });
  if (isRefusal(answer) || answer.errors === undefined) return answer;
  return invalid(answer.errors);
}
