import { compilePolicy } from '../../src/policy/wasm/module.js';
import { type Case, type Cases } from './cases.js';
import { check, type Difference } from './check.js';
import { EXCEPTIONS } from './exceptions.js';

export interface Summary {
  readonly total: number;
  readonly passed: number;
  readonly failed: number;
  readonly excepted: number;
}

export interface Failure extends Difference {
  readonly item: Case;
}

export interface Report {
  readonly summary: Summary;
  readonly failures: readonly Failure[];
}

/** Runs those whose note or folder contains the filter. */
export async function runCases({ cases, module }: Cases, filter = ''): Promise<Report> {
  const chosen = cases.filter(({ folder, note }) => note.includes(filter) || folder.includes(filter));
  const failures: Failure[] = [];
  let excepted = 0;
  for (const item of chosen) {
    const difference = await outcome(item, module);
    const reason = Object.hasOwn(EXCEPTIONS, item.note) ? EXCEPTIONS[item.note] : undefined;
    if (reason === undefined) {
      if (difference !== undefined) failures.push({ item, ...difference });
    } else if (difference === undefined) {
      failures.push({ item, want: `to fail: ${reason}`, got: 'it passes: take it out of exceptions.ts' });
    } else excepted++;
  }
  const total = chosen.length;
  const failed = failures.length;
  return { summary: { total, passed: total - failed - excepted, failed, excepted }, failures };
}

async function outcome(item: Case, module: Cases['module']): Promise<Difference | undefined> {
  if (item.error !== undefined) return { want: 'a module', got: `it does not compile: ${item.error}` };
  return check(item, await compilePolicy(await module(item)));
}
