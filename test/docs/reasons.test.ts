import { readFile } from 'node:fs/promises';
import { REASON_CODES, REASONS } from '../../src/decision/reasons.js';

describe('docs/reasons.md', () => {
  test('has a line for every reason, with its status, and for nothing else', async () => {
    const page = await readFile(new URL('../../docs/reasons.md', import.meta.url), 'utf8');
    const lines = [...page.matchAll(/^\| `([a-z_]+)` \| (\d+|–) \|/gm)].map(([, code, status]) => [
      code,
      status,
    ]);
    const expected = REASON_CODES.map((code) => [
      code,
      code === 'allowed' ? '–' : String(REASONS[code].http),
    ]);
    expect(lines.sort()).toEqual(expected.sort());
  });

  test('shows a body that a client really gets', async () => {
    const page = await readFile(new URL('../../docs/reasons.md', import.meta.url), 'utf8');
    const body = JSON.parse(/```json\n([\s\S]*?)```/.exec(page)![1]!) as Record<string, string>;
    expect(Object.keys(body)).toEqual(['error', 'reason', 'decision_id']);
    expect(REASONS[body.reason as keyof typeof REASONS].error).toBe(body.error);
  });
});
