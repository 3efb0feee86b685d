import { readFile } from 'node:fs/promises';
import { CODES } from '../../src/cli/doctor/codes.js';

const page = () => readFile(new URL('../../docs/doctor.md', import.meta.url), 'utf8');

describe('docs/doctor.md', () => {
  test('has a line for every code, with its severity and what follows, and for nothing else', async () => {
    const lines = [
      ...(await page()).matchAll(/^\| `([a-z0-9_]+)` \| (error|warning|note) \| (.*) \|$/gm),
    ].map(([, code, severity, follows]) => [code, severity, follows]);
    const expected = Object.entries(CODES).map(([code, { severity, follows }]) => [code, severity, follows]);
    expect(lines.sort()).toEqual(expected.sort());
  });
});
