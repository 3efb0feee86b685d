import { isRefusal } from '../errors/refusal.js';
import type { RegoSource } from './source.js';
import type { RegoError, RegoErrors, RegoLocation } from './errors.js';
import { ask, filesOf, fromWire, invalid, type WireError } from './wire.js';

export interface RegoTestOptions {
  /** A regular expression (RE2): only tests whose full name, `data.package.test_name`, it matches are run. */
  readonly run?: string;
  /** Whether lines are counted. The tests are then run three times, and none is ended for its time. */
  readonly coverage?: boolean;
  /** After how many milliseconds a test is ended. Default 5000. */
  readonly timeoutMs?: number;
}

export interface RegoTestReport {
  /** In the order of their files and lines. */
  readonly tests: readonly RegoTestResult[];
  /** One of each policy file, tests themselves aside. Absent unless it was asked for. */
  readonly coverage?: readonly RegoFileCoverage[];
}

export type RegoTestOutcome = 'pass' | 'fail' | 'error' | 'skip';

/** One test rule. `skip` is one whose name begins with `todo_test_`. */
export interface RegoTestResult {
  /** `mesh.authz_test` */
  readonly package: string;
  readonly name: string;
  readonly location: RegoLocation;
  readonly outcome: RegoTestOutcome;
  /** Milliseconds. */
  readonly duration: number;
  /** What it printed. */
  readonly output: string;
  /** Why it could not be evaluated. */
  readonly error?: RegoError;
  /** Absent where there is none to tell: a test that is defined as false. */
  readonly failure?: RegoFailure;
  /** Those of a test with a key in its head, `test_x[name] if …`; else empty. */
  readonly cases: readonly RegoTestCase[];
}

export interface RegoTestCase {
  readonly name: readonly string[];
  readonly outcome: 'pass' | 'fail';
  readonly failure?: RegoFailure;
}

/** The expression that a test or a rule stopped at. */
export interface RegoFailure {
  readonly location: RegoLocation;
  readonly lineText: string;
  /** The expression; it may run over several lines. */
  readonly text: string;
  /** Parts of it, and what they stood for in Rego's notation: `undefined` where for nothing. */
  readonly values: readonly { readonly name: string; readonly value: string }[];
  /** Rules that were asked on the way and did not hold. */
  readonly because: readonly (RegoFailure & { readonly rule: string })[];
}

/** Lines that hold a rule's head or an expression. One that ran only in part is uncovered. */
export interface RegoFileCoverage {
  readonly file: string;
  /** How many ran. */
  readonly covered: number;
  /** Their rows, from 1, in order. */
  readonly uncovered: readonly number[];
}

/**
 * Runs the tests among the sources with OPA's own tester. What is wrong with the sources is a value; a test
 * that fails is not wrong, it is a result.
 */
export async function testRego(
  sources: readonly RegoSource[],
  options: RegoTestOptions = {},
): Promise<RegoTestReport | RegoErrors> {
  const answer = await ask<WireAnswer>('test', {
    files: filesOf(sources),
    run: options.run ?? '',
    coverage: options.coverage ?? false,
    timeout_ms: options.timeoutMs ?? 5000,
  });
  if (isRefusal(answer)) return answer;
  if (answer.errors !== undefined) return invalid(answer.errors);
  return {
    tests: answer.tests.map(readTest),
    ...(answer.coverage && { coverage: answer.coverage.files }),
  };
}

interface WireAnswer {
  readonly tests: readonly WireTest[];
  readonly coverage?: { readonly files: readonly RegoFileCoverage[] };
  readonly errors?: readonly WireError[];
}

interface WireTest extends RegoLocation {
  readonly package: string;
  readonly name: string;
  readonly outcome: RegoTestOutcome;
  readonly duration_ns: number;
  readonly output?: string;
  readonly error?: WireError;
  readonly failure?: WireFailure;
  readonly cases?: readonly WireCase[];
}

interface WireCase {
  readonly name: readonly string[];
  readonly outcome: 'pass' | 'fail';
  readonly failure?: WireFailure;
}

interface WireFailure extends RegoLocation {
  readonly line_text?: string;
  readonly text: string;
  readonly values?: RegoFailure['values'];
  readonly because?: readonly (WireFailure & { readonly rule: string })[];
}

function readTest(wire: WireTest): RegoTestResult {
  const { file, row, col, duration_ns: nanoseconds, output, error, failure, cases, ...rest } = wire;
  return {
    ...rest,
    location: { file, row, col },
    duration: nanoseconds / 1e6,
    output: output ?? '',
    ...(error && { error: fromWire(error) }),
    ...(failure && { failure: readFailure(failure) }),
    cases: (cases ?? []).map(({ name, outcome, failure: why }) => ({
      name,
      outcome,
      ...(why && { failure: readFailure(why) }),
    })),
  };
}

function readFailure(wire: WireFailure): RegoFailure {
  return {
    location: { file: wire.file, row: wire.row, col: wire.col },
    lineText: wire.line_text ?? '',
    text: wire.text,
    values: wire.values ?? [],
    because: (wire.because ?? []).map((why) => ({ rule: why.rule, ...readFailure(why) })),
  };
}
