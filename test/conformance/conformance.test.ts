import { loadCases } from './cases.js';
import { EXCEPTIONS } from './exceptions.js';
import { runCases } from './run.js';

const loaded = await loadCases();
const available = 'missing' in loaded ? test.skip : test;

describe("OPA's own cases", () => {
  available(
    `pass in our evaluator${'missing' in loaded ? ` (${loaded.missing})` : ''}`,
    async () => {
      if ('missing' in loaded) return;
      const { summary, failures } = await runCases(loaded);
      expect(failures.map(({ item, got }) => `${item.folder}/${item.note}: ${got}`)).toEqual([]);
      expect(summary.total).toBeGreaterThanOrEqual(2400);
      expect(summary.failed).toBe(0);
    },
    300_000,
  );

  available('have few exceptions, each of a case that is there and with a reason', () => {
    if ('missing' in loaded) return;
    const notes = new Set(loaded.cases.map(({ note }) => note));
    expect(Object.keys(EXCEPTIONS).filter((note) => !notes.has(note))).toEqual([]);
    expect(Object.keys(EXCEPTIONS).length).toBeLessThanOrEqual(25);
    for (const reason of Object.values(EXCEPTIONS)) expect(reason).toMatch(/\S+ \S+ \S+/);
  });
});
