import { regoErrors, type RegoError, type RegoErrors, type RegoLocation } from './errors.js';
import type { RegoSource } from './source.js';
import { OpaFailure, runOpaCommand } from './opa-command.js';

/** A fault as the Go program writes it. */
export interface WireError extends Partial<RegoLocation> {
  readonly code: string;
  readonly message: string;
  readonly line_text?: string;
}

export function fromWire({ code, message, file, row, col, line_text: lineText }: WireError): RegoError {
  return {
    code,
    message,
    ...(file !== undefined && { location: { file, row: row ?? 1, col: col ?? 1 } }),
    ...(lineText !== undefined && { lineText }),
  };
}

/** The answer that an author mends. */
export function invalid(errors: readonly WireError[]): RegoErrors {
  return regoErrors('rego_invalid', errors.map(fromWire));
}

/** Sources without whatever else their objects carry: the program refuses members that it does not know. */
export function filesOf(sources: readonly RegoSource[]): RegoSource[] {
  return sources.map(({ path, content }) => ({ path, content }));
}

/** Puts one question to the Go program; that there is no answer is a value too. */
export async function ask<Answer extends object>(
  command: string,
  request: object,
): Promise<Answer | RegoErrors> {
  try {
    return (await runOpaCommand(command, request)) as Answer;
  } catch (error) {
    if (!(error instanceof OpaFailure)) throw error;
    return regoErrors('rego_compiler_failed', [{ code: 'compiler_failed', message: error.message }]);
  }
}
