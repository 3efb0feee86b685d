import type { Finding, Notebook, Place } from './finding.js';

/** For programs: the same as {@link reportText}, with `ok` false where there is an error. */
export function reportJson({ findings, seen }: Notebook): string {
  return `${JSON.stringify({ ok: isWell(findings), findings, seen }, null, 2)}\n`;
}

/** For people: each finding with its place, what follows and the mend; then what was looked at. */
export function reportText({ findings, seen }: Notebook): string {
  const found = [...findings].sort((a, b) => RANK[a.severity] - RANK[b.severity]);
  return [
    ...found.flatMap((finding) => [
      `${finding.severity}: ${finding.code}: ${placeText(finding)}`,
      `  ${finding.wrong}`,
      `  ${finding.follows}`,
      `  mend: ${finding.mend}`,
      '',
    ]),
    ...(seen.length > 0 ? ['looked at:', ...seen.map((fact) => `  ${fact}`), ''] : []),
    `${summary(findings)}\n`,
  ].join('\n');
}

export function isWell(findings: readonly Finding[]): boolean {
  return findings.every(({ severity }) => severity !== 'error');
}

const RANK = { error: 0, warning: 1, note: 2 } as const;

function placeText({ file, line, key, endpoint }: Place): string {
  const where = file === undefined ? [] : [line === undefined ? file : `${file}:${line}`];
  const what = [...(key ? [key] : []), ...(endpoint === undefined ? [] : [endpoint])];
  return [...where, ...what].join(': ');
}

function summary(findings: readonly Finding[]): string {
  const counts = (['error', 'warning', 'note'] as const).flatMap((severity) => {
    const number = findings.filter((finding) => finding.severity === severity).length;
    return number === 0 ? [] : `${number} ${severity}${number === 1 ? '' : 's'}`;
  });
  return counts.length === 0 ? 'nothing wrong was found' : counts.join(', ');
}
