/**
 * Runs OPA's own cases through our evaluator:
 *
 *   npm run conformance -- [--filter TEXT] [--verbose] [--json]
 */
import { parseArgs } from 'node:util';
import { loadCases } from './cases.js';
import { runCases, type Failure } from './run.js';

const { values } = parseArgs({
  options: {
    filter: { type: 'string', default: '' },
    json: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
  },
});

const loaded = await loadCases();
if ('missing' in loaded) {
  print(values.json ? JSON.stringify({ skipped: loaded.missing }) : `skipped: ${loaded.missing}`);
} else {
  const { summary, failures } = await runCases(loaded, values.filter);
  if (values.json) print(JSON.stringify(summary));
  else {
    for (const folder of new Set(failures.map(({ item }) => item.folder))) {
      const inThere = failures.filter(({ item }) => item.folder === folder);
      print(`${folder}: ${inThere.length} failed`);
      for (const failure of inThere) print(describe(failure, values.verbose));
    }
    print(
      Object.entries(summary)
        .map(([name, count]) => `${name} ${count}`)
        .join(', '),
    );
  }
  if (summary.failed > 0 || summary.total === 0) process.exitCode = 1;
}

function describe({ item, want, got }: Failure, verbose: boolean): string {
  const lines = [`  ${item.note}`];
  if (verbose) {
    lines.push(`    query  ${item.query}`, `    want   ${want}`, `    got    ${got}`);
    if (item.input !== undefined) lines.push(`    input  ${item.input}`);
    for (const module of item.modules ?? []) lines.push(module.trimEnd().replace(/^/gm, '    | '));
  } else lines.push(`    ${shortened(got)}`);
  return lines.join('\n');
}

function shortened(text: string): string {
  const line = text.split('\n')[0]!;
  return line.length > 140 ? `${line.slice(0, 140)}…` : line;
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
