import { readFile } from 'node:fs/promises';
import { REASON_CODES } from '../../src/decision/reasons.js';

const page = await readFile(new URL('../../docs/tokens.md', import.meta.url), 'utf8');

describe('docs/tokens.md', () => {
  test('has a step for each reason to refuse an access token', () => {
    const table = page.split('## What is checked, in order')[1]!.split('\n## ')[0]!;
    const named = new Set([...table.matchAll(/`((?:token|dpop)_[a-z_]+)`/g)].map(([, code]) => code));
    expect([...named].sort()).toEqual(REASON_CODES.filter((code) => /^(token|dpop)_/.test(code)).sort());
  });
});
