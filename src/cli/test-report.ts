import type { RegoTestReport, RegoTestResult } from '../rego/tester.js';

/** A run of tests, counted; what every format is written from. */
export interface TestReport {
  readonly tests: readonly ComparedTest[];
  readonly coverage?: {
    readonly percent: number;
    readonly lines: number;
    readonly files: readonly {
      readonly file: string;
      readonly percent: number;
      readonly covered: number;
      readonly uncovered: readonly number[];
    }[];
  };
  /** Percent of the lines. */
  readonly threshold?: number;
  readonly summary: {
    readonly passed: number;
    readonly failed: number;
    readonly errors: number;
    readonly skipped: number;
    /** Tests that come out otherwise in Wasm, and those that cannot be compared. Absent where none was. */
    readonly differing?: number;
    readonly notCompared?: number;
  };
  /** Whether the whole run is good. */
  readonly ok: boolean;
}

/** A test beside what the Wasm evaluator made of it. */
export interface ComparedTest extends RegoTestResult {
  /** How the two differ. */
  readonly differs?: string;
  /** Why they were not compared. */
  readonly notComparable?: string;
}

export interface CountOptions {
  readonly threshold?: number;
  /** Whether tests were compared with Wasm. */
  readonly compared?: boolean;
}

/** Counts. An empty run is none that is good: a pattern that matches nothing must not pass for success. */
export function testReport(
  { tests, coverage }: Omit<RegoTestReport, 'tests'> & { readonly tests: readonly ComparedTest[] },
  { threshold, compared }: CountOptions = {},
): TestReport {
  const count = (outcome: string) => tests.filter((test) => test.outcome === outcome).length;
  const differing = tests.filter(({ differs }) => differs !== undefined).length;
  const covered = coverage && coverageOf(coverage);
  const failed = count('fail');
  const errors = count('error');
  return {
    tests,
    ...(covered && { coverage: covered }),
    ...(threshold !== undefined && { threshold }),
    summary: {
      passed: count('pass'),
      failed,
      errors,
      skipped: count('skip'),
      ...(compared && {
        differing,
        notCompared: tests.filter(({ notComparable }) => notComparable !== undefined).length,
      }),
    },
    ok:
      tests.length > 0 &&
      failed + errors + differing === 0 &&
      (threshold === undefined || (covered !== undefined && covered.percent >= threshold)),
  };
}

function coverageOf(files: NonNullable<RegoTestReport['coverage']>): NonNullable<TestReport['coverage']> {
  const sum = (counts: readonly number[]) => counts.reduce((a, b) => a + b, 0);
  const covered = sum(files.map((file) => file.covered));
  const lines = covered + sum(files.map(({ uncovered }) => uncovered.length));
  return {
    percent: share(covered, lines),
    lines,
    files: files.map((file) => ({
      ...file,
      percent: share(file.covered, file.covered + file.uncovered.length),
    })),
  };
}

/** A file without a line that could run is covered. */
function share(part: number, whole: number): number {
  return whole === 0 ? 100 : (100 * part) / whole;
}

/** Rounded down, so that 100 is all of it. */
export function percent(share: number): string {
  return String(Math.floor(share * 10) / 10);
}

/** `3, 7-9` */
export function rows(of: readonly number[]): string {
  const spans: [number, number][] = [];
  for (const row of of) {
    const last = spans.at(-1);
    if (last && row === last[1] + 1) last[1] = row;
    else spans.push([row, row]);
  }
  return spans.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(', ');
}
