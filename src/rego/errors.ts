import type { Refusal } from '../errors/refusal.js';

/**
 * Why sources give no policy:
 * - `rego_folder_invalid`: the folder cannot be read, or holds no policy;
 * - `rego_invalid`: what the sources say is wrong, or an entrypoint is;
 * - `rego_compiler_failed`: the compiler came to no answer.
 */
export type RegoCode = 'rego_folder_invalid' | 'rego_invalid' | 'rego_compiler_failed';

/** A position in a source. */
export interface RegoLocation {
  /** Relative to the root of the sources, with forward slashes. */
  readonly file: string;
  /** From 1. */
  readonly row: number;
  /** From 1, in characters (code points), as OPA counts them. */
  readonly col: number;
}

/** One thing that is wrong with sources. */
export interface RegoError {
  /** OPA's own (`rego_parse_error`, `rego_type_error`, …), or `data_parse_error`, `entrypoint_invalid`, … */
  readonly code: string;
  /** May run over several lines. */
  readonly message: string;
  /** Absent where the fault is in no one place; then so is `lineText`. */
  readonly location?: RegoLocation;
  /** The source line at `location`. */
  readonly lineText?: string;
}

/** Everything that is wrong with sources; `detail` is what {@link formatRegoErrors} makes of it. */
export interface RegoErrors extends Refusal<'rego_invalid' | 'rego_compiler_failed'> {
  readonly errors: readonly RegoError[];
}

/** Makes {@link RegoErrors}. */
export function regoErrors(code: RegoErrors['code'], errors: readonly RegoError[]): RegoErrors {
  return { refused: true, code, detail: formatRegoErrors(errors), errors };
}

/**
 * Writes errors for a terminal or a log, the source line below each and a caret below the column:
 *
 * ```text
 * mesh/authz.rego:7:12: rego_unsafe_var_error: var claim is unsafe
 * 	allowed := claim == "yes"
 * 	           ^
 * ```
 */
export function formatRegoErrors(errors: readonly RegoError[]): string {
  return errors.map(formatError).join('\n');
}

function formatError({ code, message, location, lineText }: RegoError): string {
  const what = `${code}: ${message.replaceAll('\n', '\n    ')}`;
  if (location === undefined) return what;
  const head = `${location.file}:${location.row}:${location.col}: ${what}`;
  if (lineText === undefined) return head;
  const before = [...lineText].slice(0, location.col - 1);
  // Tabs stay tabs, so that the caret stands where the terminal puts the column.
  return `${head}\n${lineText}\n${before.map((c) => (c === '\t' ? c : ' ')).join('')}^`;
}
