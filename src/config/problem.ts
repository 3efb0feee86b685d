/** What is wrong with one value, and what to write instead. Neither text quotes the value. */
export interface Fault {
  readonly wrong: string;
  readonly mend: string;
}

/** One thing that is wrong with a configuration file. */
export interface ConfigProblem extends Fault {
  readonly file: string;
  /** 1-based; absent when the file could not be read at all. */
  readonly line?: number;
  /** 1-based, in UTF-16 code units. */
  readonly column?: number;
  /** `token.issuers[0].audiences`; empty when it is the file as a whole. */
  readonly key: string;
}

/**
 * Everything that is wrong with a configuration file, in the file's order. The message has one line a
 * problem: `file:line:column: key: what is wrong; what to do`. Values that came from the environment are
 * never in it, only the text as it stands in the file.
 */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    const ordered = [...problems].sort(
      (a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0),
    );
    super(ordered.map(formatProblem).join('\n'));
    this.problems = ordered;
  }
}

function formatProblem({ file, line, column, key, wrong, mend }: ConfigProblem): string {
  const place = line === undefined ? file : `${file}:${line}:${column}`;
  return `${place}: ${key === '' ? '' : `${key}: `}${wrong}; ${mend}`;
}

/** Writes a path as operators write it: `identity.trust_domains["example.org"].bundle`. */
export function formatKey(path: readonly PropertyKey[]): string {
  return path.reduce<string>((key, step) => {
    if (typeof step === 'number') return `${key}[${step}]`;
    const name = String(step);
    if (!/^\w+$/.test(name)) return `${key}[${JSON.stringify(name)}]`;
    return key === '' ? name : `${key}.${name}`;
  }, '');
}
