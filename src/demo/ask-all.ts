import { asExpected, type Ask, type Case } from './cases.js';
import { table } from './table.js';

/** Puts each case in turn. @returns the answers as a table for a terminal, and whether all are what they must be */
export async function askAll(cases: readonly Case[], ask: Ask): Promise<{ table: string; right: boolean }> {
  const rows: string[][] = [];
  let right = true;
  for (const one of cases) {
    const seen = await ask(one);
    const fine = asExpected(one, seen);
    right &&= fine;
    rows.push([
      fine ? '✓' : '✗',
      one.title,
      one.workload.spiffeId,
      `${one.method} ${one.path}`,
      `${seen.status} ${seen.reason}`,
      seen.upstreamSpiffeId ?? '–',
    ]);
  }
  return { table: table(['', 'request', 'workload', 'asks', 'answer', 'upstream saw'], rows), right };
}
