import { readFile } from 'node:fs/promises';

/** What docs/reasons.md says of a code. */
export interface ReasonLine {
  readonly happened: string;
  /** Absent for what is not a denial, and where there is nothing to do. */
  readonly mend?: string;
}

const PAGE = new URL('../../../docs/reasons.md', import.meta.url);

/** Looks a code up in docs/reasons.md; undefined for one that is not there, or where the page is not. */
export async function reasonLine(code: string): Promise<ReasonLine | undefined> {
  const page = await readFile(PAGE, 'utf8').catch(() => '');
  for (const line of page.split('\n')) {
    const [, name, , happened, mend] = line.split('|').map((cell) => cell.trim());
    if (name !== `\`${code}\`` || happened === undefined) continue;
    return { happened, ...(mend && mend !== '–' && { mend }) };
  }
  return undefined;
}
