import type { Explanation } from '../../rego/explainer.js';
import { formatRegoErrors } from '../../rego/errors.js';
import { fromWire } from '../../rego/wire.js';
import type { Paint } from './paint.js';
import type { ReasonLine } from './reasons.js';
import { treeLines } from './tree.js';

/** What `countersign explain` has to tell, in the form of `--format json`. */
export interface Report {
  readonly entrypoint: string;
  /** The decision as the server makes it, or made it. Absent for a bare input. */
  readonly decision?: {
    readonly outcome: 'allow' | 'deny';
    readonly reason: string;
    readonly detail?: string;
    readonly http_status?: number;
    /** Of docs/reasons.md. */
    readonly happened?: string;
    readonly mend?: string;
  };
  /** Absent where the policy was not asked. */
  readonly explanation?: Explanation;
  /** Whether the evaluator that serves comes to the same. */
  readonly wasm?: { readonly agrees: true } | { readonly agrees: false; readonly outcome: string };
  /** What one should know of the way in which this came about. */
  readonly notes: readonly string[];
}

/** A decision's part of a report. */
export function decisionOf(
  outcome: 'allow' | 'deny',
  reason: string,
  line: ReasonLine | undefined,
  detail?: string,
  status?: number,
): NonNullable<Report['decision']> {
  return {
    outcome,
    reason,
    ...(detail !== undefined && detail !== '' && { detail }),
    ...(status !== undefined && { http_status: status }),
    ...(line && { happened: line.happened }),
    ...(line?.mend !== undefined && { mend: line.mend }),
  };
}

/** The report for a terminal. */
export function reportText(report: Report, paint: Paint, all: boolean): string {
  const { explanation, entrypoint, wasm, notes } = report;
  const sections = [decisionLines(report, paint)];
  if (explanation) {
    sections.push(errorLines(explanation, paint), treeLines(explanation, { entrypoint, paint, all }));
    if (explanation.cut) sections.push(['The evaluation was too long to be told to its end.']);
    if (explanation.value === undefined && !explanation.error)
      sections.push([`${entrypoint} is undefined: no definition of it held, and it has no default.`]);
  }
  if (wasm?.agrees === false)
    sections.push([paint.bad(`The evaluator that serves disagrees: ${wasm.outcome}. Please report this.`)]);
  sections.push(notes.map((note) => paint.dim(`Note: ${note}`)));
  const filled = sections.filter((lines) => lines.length > 0);
  return `${filled.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

function decisionLines({ decision }: Report, { good, bad, bold }: Paint): string[] {
  if (decision === undefined) return [];
  const { outcome, reason, detail, happened, mend, http_status: status } = decision;
  if (outcome === 'allow') return [good('allowed')];
  const lines = [`${bad('denied')}: ${bold(reason)}${status === undefined ? '' : ` (${status})`}`];
  if (detail !== undefined) lines.push(`  ${detail}`);
  if (happened !== undefined && !sameWords(happened, detail)) lines.push(`  ${happened}`);
  if (mend !== undefined) lines.push(`  What to do: ${mend}`);
  return lines;
}

function sameWords(one: string, other = ''): boolean {
  const words = (text: string) => text.replaceAll(/[`.]/g, '').toLowerCase();
  return words(one) === words(other);
}

function errorLines({ error, failed_builtins: failed = [] }: Explanation, { bad }: Paint): string[] {
  const lines: string[] = [];
  if (error)
    lines.push(
      bad('The evaluation ended in an error:'),
      ...formatRegoErrors([fromWire(error)]).split('\n'),
      '',
    );
  if (failed.length > 0)
    lines.push(
      'Built-ins gave up, which left their expressions undefined:',
      ...formatRegoErrors(failed.map(fromWire)).split('\n'),
    );
  return lines;
}
