import type { YamlFile } from '../../config/yaml-file.js';
import { formatKey } from '../../config/problem.js';
import { CODES, type Code, type Severity } from './codes.js';

/** Where something is wrong: a place in a file, or what was asked. */
export interface Place {
  readonly file?: string;
  /** From 1. */
  readonly line?: number;
  /** `token.issuers[0].jwks`, in the file or, where there is no file, of the configuration. */
  readonly key?: string;
  /** A URL or the address of a socket. */
  readonly endpoint?: string;
}

export interface Finding extends Place {
  readonly code: Code;
  readonly severity: Severity;
  /** What is wrong. It never quotes a secret. */
  readonly wrong: string;
  readonly follows: string;
  readonly mend: string;
}

/** What is found, and what was looked at, in the order of the checks. */
export class Notebook {
  readonly findings: Finding[] = [];
  readonly seen: string[] = [];

  add(code: Code, place: Place, wrong: string, mend: string): void {
    this.findings.push({
      code,
      severity: CODES[code].severity,
      ...place,
      wrong,
      follows: CODES[code].follows,
      mend,
    });
  }

  /** A fact that the operator can hold against what was meant. */
  saw(fact: string): void {
    this.seen.push(fact);
  }
}

/** Finds keys of the configuration file. */
export type Locate = (...path: PropertyKey[]) => Place;

export function locator(file: YamlFile | undefined, name: string): Locate {
  return (...path) => {
    const key = formatKey(path);
    if (file === undefined) return { file: name, key };
    const { line } = file.problem(file.locate(path).offset, path, { wrong: '', mend: '' });
    return { file: name, ...(line !== undefined && { line }), key };
  };
}
