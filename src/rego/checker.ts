import { LineCounter, parseDocument } from 'yaml';
import { isRefusal } from '../errors/refusal.js';
import type { RegoBuiltinUse } from './compiler.js';
import type { RegoSource } from './source.js';
import type { RegoError, RegoErrors } from './errors.js';
import { ask, filesOf, fromWire, type WireError } from './wire.js';

/** A JSON Schema: of `input` and of `data` by those names, of `schema.NAME` in annotations by any other. */
export interface RegoSchema {
  /** Slashes stand for the dots of the annotation's name. */
  readonly name: string;
  /** For messages. */
  readonly path: string;
  readonly content: string;
}

export interface RegoCheckOptions {
  readonly schemas: readonly RegoSchema[];
  /** `package/rule`; each has to be there. Those that annotations declare are added. */
  readonly entrypoints?: readonly string[];
  /** One that need not be there. */
  readonly defaultEntrypoint?: string;
}

export interface RegoCheckReport {
  readonly errors: readonly RegoError[];
  /** What compiles but cannot be meant. */
  readonly warnings: readonly RegoError[];
  /** What to compile for: the entrypoints, or every package where there are none. Empty where there are errors. */
  readonly entrypoints: readonly string[];
  /** As {@link CompiledRego.builtins}, tests aside. */
  readonly builtins: readonly RegoBuiltinUse[];
  /** The policies, compiled for these entrypoints. Absent where there are errors. */
  readonly bundle?: Uint8Array;
}

interface CheckAnswer {
  readonly errors: readonly WireDataError[];
  readonly warnings: readonly WireError[];
  readonly entrypoints: readonly string[];
  readonly builtins: readonly RegoBuiltinUse[];
  readonly bundle?: string;
}

interface WireDataError extends WireError {
  /** The place within `data`, for what data files have wrong. */
  readonly data_path?: readonly string[];
}

/**
 * Compiles policies, and tests if they are among the sources, as strictly as OPA can and by the schemas, and
 * looks for what compiles but cannot be meant. Data files are held to the schema of `data`.
 *
 * @returns a report, which lists what is wrong; a refusal only where the compiler came to no answer
 */
export async function checkRego(
  sources: readonly RegoSource[],
  options: RegoCheckOptions,
): Promise<RegoCheckReport | RegoErrors> {
  const answer = await ask<CheckAnswer>('check', {
    files: filesOf(sources),
    schemas: options.schemas.map(({ name, path, content }) => ({ name, path, content })),
    entrypoints: options.entrypoints ?? [],
    default_entrypoint: options.defaultEntrypoint ?? '',
  });
  if (isRefusal(answer)) return answer;
  const { bundle, ...told } = answer;
  return {
    ...told,
    ...(bundle !== undefined && { bundle: Buffer.from(bundle, 'base64') }),
    errors: answer.errors.map((error) =>
      error.data_path ? placeInData(fromWire(error), error.data_path, sources) : fromWire(error),
    ),
    warnings: answer.warnings.map(fromWire),
  };
}

/** Finds the line of a data file that gives a place within `data`: the file that is deepest in. */
function placeInData(error: RegoError, path: readonly string[], sources: readonly RegoSource[]): RegoError {
  const candidates = sources
    .filter((source) => !source.path.endsWith('.rego'))
    .map((source) => ({ source, folder: source.path.split('/').slice(0, -1) }))
    .filter(({ folder }) => folder.every((name, index) => name === path[index]))
    .sort((a, b) => b.folder.length - a.folder.length);
  for (const { source, folder } of candidates) {
    const lines = new LineCounter();
    const document = parseDocument(source.content, { lineCounter: lines });
    for (let length = path.length; length > folder.length; length--) {
      const keys = path.slice(folder.length, length).map((key) => (/^\d+$/.test(key) ? Number(key) : key));
      const node = document.getIn(keys, true) as { range?: readonly [number, number, number] } | undefined;
      if (!node?.range) continue;
      const { line, col } = lines.linePos(node.range[0]);
      return {
        ...error,
        location: { file: source.path, row: line, col },
        lineText: source.content.split('\n')[line - 1] ?? '',
      };
    }
    if (candidates.length === 1) return { ...error, location: { file: source.path, row: 1, col: 1 } };
  }
  return error;
}
