import { readFile } from 'node:fs/promises';
import { CASES } from '../parity/cases.js';
import { DIFFERENCES } from '../parity/differences.js';

const page = await readFile(new URL('../../docs/migrating-from-opa-envoy.md', import.meta.url), 'utf8');

test('the page lists the deliberate differences of the parity test, in its words, and no other', () => {
  const section = page.slice(page.indexOf('## What differs on purpose'));
  const rows = [...section.matchAll(/^\| (.+?) \| (every answer|some) \| (.+) \|$/gm)];
  expect(rows.map(([, name, where, reason]) => [name, where === 'every answer', reason])).toEqual(
    Object.entries(DIFFERENCES).map(([name, { always, reason }]) => [name, always, reason]),
  );
});

test('it does not promise more comparisons than there are', () => {
  expect(page).toContain('over a hundred requests');
  expect(CASES.length).toBeGreaterThan(100);
});
