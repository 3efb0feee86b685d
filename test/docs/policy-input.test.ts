import { readFile, writeFile } from 'node:fs/promises';
import { INPUT_SCHEMA } from '../../src/decision/input-schema.js';
import { inputReference } from './input-reference.js';

const PAGE = new URL('../../docs/policy-input.md', import.meta.url);

/** To write the page anew: `UPDATE_DOCS=1 npm test -- test/docs/policy-input.test.ts`. */
test('docs/policy-input.md is what the schema of the input says', async () => {
  const page = inputReference(INPUT_SCHEMA);
  if (process.env['UPDATE_DOCS']) await writeFile(PAGE, page);
  expect(await readFile(PAGE, 'utf8')).toBe(page);
});
