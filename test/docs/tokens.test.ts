import { readFile } from 'node:fs/promises';
import { REASON_CODES } from '../../src/decision/reasons.js';

const PAGE = new URL('../../docs/tokens.md', import.meta.url);
const page = await readFile(PAGE, 'utf8');
const section = (title: string) => page.split(`\n## ${title}\n`)[1]!.split('\n## ')[0]!;

describe('docs/tokens.md', () => {
  test('has a step for each reason to refuse an access token', () => {
    const table = section('What is checked, in order');
    const named = new Set([...table.matchAll(/`((?:token|dpop)_[a-z_]+)`/g)].map(([, code]) => code));
    expect([...named].sort()).toEqual(REASON_CODES.filter((code) => /^(token|dpop)_/.test(code)).sort());
  });

  test('names tests for each of its threats, and each of them is there', async () => {
    const rows = section('Threats')
      .split('\n')
      .filter((line) => /^\| [A-Z]/.test(line));
    expect(rows.length).toBeGreaterThan(5);
    for (const threat of ['Theft', 'Replay', 'Confused deputy', 'Mix-up', 'Algorithm confusion'])
      expect(rows.some((row) => row.startsWith(`| ${threat}`))).toBe(true);
    for (const row of rows) {
      const tests = [...row.matchAll(/\[`([^`]+)`\]\(([^)]+)\)/g)];
      expect([row, tests.length]).not.toEqual([row, 0]);
      for (const [, title, file] of tests) {
        const text = await readFile(new URL(file!, PAGE), 'utf8');
        const written = [`'${title}'`, `"${title}"`, `\`${title}\``].some((quoted) =>
          text.includes(`(${quoted},`),
        );
        expect([title, file, written]).toEqual([title, file, true]);
      }
    }
  });
});
