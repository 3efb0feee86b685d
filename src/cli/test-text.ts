import { formatRegoErrors } from '../rego/errors.js';
import type { RegoFailure, RegoTestResult } from '../rego/tester.js';
import { percent, rows, type TestReport } from './test-report.js';

/** A report for people: what failed and why, and with `verbose` what passed too. */
export function testText(report: TestReport, verbose: boolean): string {
  const lines: string[] = [];
  let file = '';
  for (const test of report.tests) {
    if (test.outcome === 'pass' && !test.differs && !verbose) continue;
    if (test.location.file !== file) {
      file = test.location.file;
      lines.push(file);
    }
    const about = indent(testLines(test, verbose), 2);
    lines.push(...about, ...(about.length > 1 ? [''] : []));
  }
  if (lines.length > 0 && lines.at(-1) !== '') lines.push('');
  lines.push(...coverageLines(report), summary(report));
  return `${lines.join('\n')}\n`;
}

const WORD = { pass: 'pass', fail: 'FAIL', error: 'ERROR', skip: 'skip' };

/** One test: its outcome, and below it why. */
export function testLines(test: TestReport['tests'][number], verbose: boolean): string[] {
  const took = test.outcome === 'skip' ? '' : ` (${test.duration.toFixed(1)} ms)`;
  const lines = [`${WORD[test.outcome]} ${test.package}.${test.name}, line ${test.location.row}${took}`];
  if (test.error) lines.push(...indent(formatRegoErrors([test.error]).split('\n'), 4));
  if (test.outcome === 'fail' && test.cases.length === 0) lines.push(...indent(whyLines(test.failure), 4));
  for (const { name, outcome, failure } of test.cases) {
    if (outcome === 'pass' && !verbose) continue;
    lines.push(`  ${WORD[outcome]} ${name.join(' / ')}`);
    if (outcome === 'fail') lines.push(...indent(whyLines(failure), 4));
  }
  if (test.differs) lines.push(`  WASM  ${test.differs}`);
  if (test.notComparable && verbose) lines.push(`  not compared with Wasm: ${test.notComparable}`);
  if (test.output && (verbose || test.outcome !== 'pass'))
    lines.push('  printed:', ...indent(test.output.trimEnd().split('\n'), 4));
  return lines;
}

function whyLines(failure: RegoTestResult['failure']): string[] {
  if (failure === undefined) return ['it is false, or undefined before its first expression'];
  const lines = expressionLines(failure);
  if (failure.because.length > 0) lines.push('because these did not hold:');
  for (const why of failure.because) lines.push(...indent([why.rule, ...indent(expressionLines(why), 2)], 2));
  return lines;
}

/** The expression with its place and, below it, what its parts stood for. */
function expressionLines({ location, text, values }: RegoFailure): string[] {
  return [
    `${location.file}:${location.row}:${location.col}`,
    ...indent(dedent(text), 2),
    ...indent(
      values.map(({ name, value }) => `${name} = ${clip(value)}`),
      6,
    ),
  ];
}

/** The further lines of an expression stand as deep in the source as its author put them. */
function dedent(text: string): string[] {
  const [first, ...others] = text.split('\n');
  const depth = Math.min(...others.filter((line) => line.trim()).map((line) => /^\s*/.exec(line)![0].length));
  return [first!, ...others.map((line) => line.slice(depth))];
}

const WIDTH = 200;

function clip(value: string): string {
  const characters = [...value];
  return characters.length > WIDTH ? `${characters.slice(0, WIDTH).join('')}…` : value;
}

function coverageLines({ coverage, threshold }: TestReport): string[] {
  if (coverage === undefined) return [];
  const wide = Math.max(...coverage.files.map(({ file }) => file.length));
  const lines = coverage.files.map(
    ({ file, percent: of, uncovered }) =>
      `  ${file.padEnd(wide)}  ${percent(of).padStart(5)} %${uncovered.length > 0 ? `  not covered: ${rows(uncovered)}` : ''}`,
  );
  const below =
    threshold !== undefined && coverage.percent < threshold ? `, below the threshold of ${threshold} %` : '';
  return [`coverage: ${percent(coverage.percent)} % of ${coverage.lines} lines${below}`, ...lines, ''];
}

function summary({
  summary: { passed, failed, errors, skipped, differing, notCompared },
}: TestReport): string {
  const parts = [`${passed} passed`];
  if (failed > 0) parts.push(`${failed} failed`);
  if (errors > 0) parts.push(`${errors} with errors`);
  if (skipped > 0) parts.push(`${skipped} skipped`);
  if (differing !== undefined)
    parts.push(differing > 0 ? `${differing} differ in Wasm` : 'none differs in Wasm');
  if (notCompared) parts.push(`${notCompared} not compared with Wasm (-v tells why)`);
  return parts.join(', ');
}

function indent(lines: readonly string[], by: number): string[] {
  return lines.map((line) => (line === '' ? '' : ' '.repeat(by) + line));
}
