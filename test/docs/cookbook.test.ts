import { readFile } from 'node:fs/promises';
import { isRefusal } from '../../src/errors/refusal.js';
import type { Policy } from '../../src/policy/types.js';
import { librarySources, policyFrom } from '../support/library.js';

const page = await readFile(new URL('../../docs/cookbook.md', import.meta.url), 'utf8');

interface Outcome {
  readonly at?: string;
  readonly input: object;
  readonly allowed: boolean;
}

const recipes = page
  .split(/^## … /m)
  .slice(1)
  .map((section) => {
    const rego = /```rego\n([\s\S]*?)```/.exec(section)![1]!;
    return {
      question: section.slice(0, section.indexOf('\n')),
      name: /^package cookbook\.(\w+)$/m.exec(rego)![1]!,
      rego,
      outcomes: JSON.parse(/```json\n([\s\S]*?)```/.exec(section)![1]!) as Outcome[],
    };
  });
const entrypoint = (name: string) => `cookbook/${name}/decision`;

let policy: Policy;
beforeAll(async () => {
  policy = await policyFrom(
    [
      ...(await librarySources()),
      ...recipes.map(({ name, rego }) => ({ path: `${name}.rego`, content: rego })),
    ],
    recipes.map(({ name }) => entrypoint(name)),
  );
});

describe('how do I …', () => {
  test.each(recipes.flatMap((recipe) => recipe.outcomes.map((outcome) => ({ ...recipe, outcome }))))(
    '$question: $outcome',
    ({ name, outcome: { at = '2026-01-01T00:00:00Z', input, allowed } }) => {
      const result = policy.evaluate(entrypoint(name), input, Date.parse(at));
      if (isRefusal(result)) throw new Error(result.detail);
      expect(result.allowed).toBe(allowed);
    },
  );

  test('every recipe allows something and denies something, and there are fifteen or more', () => {
    expect(recipes.length).toBeGreaterThanOrEqual(15);
    for (const { outcomes } of recipes)
      expect(new Set(outcomes.map(({ allowed }) => allowed))).toEqual(new Set([true, false]));
  });
});
