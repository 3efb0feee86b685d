import { goProgram } from '../go.js';
import { render } from './policy.js';
import { compare, pairs, shrink } from './run.js';

const built = await goProgram();
const available = 'missing' in built ? test.skip : test;

available(
  `10,000 pairs of a policy and an input have one answer in our evaluator and in OPA's own${'missing' in built ? ` (${built.missing})` : ''}`,
  async () => {
    if ('missing' in built) return;
    const all = pairs(Number(process.env.DIFFERENTIAL_SEED ?? 1), 300, 50);
    const { compared, failing, refused, differences } = await compare(built.program, all, true);
    const bySize = differences.toSorted((a, b) => render(a.of.rules).length - render(b.of.rules).length);
    if (bySize[0] !== undefined) {
      const { of, input, topdown, wasm } = await shrink(built.program, bySize[0]);
      throw new Error(
        [
          `${differences.length} of ${compared} differ; the least of them:`,
          render(of.rules),
          `input   ${input}`,
          `data    ${of.data}`,
          `topdown ${topdown}`,
          `wasm    ${wasm}`,
        ].join('\n'),
      );
    }
    expect(compared).toBeGreaterThanOrEqual(10_000);
    // Most pairs are worth asking: OPA takes the policy, and it comes to an answer.
    expect(refused.length).toBeLessThan(all.length / 3);
    expect(failing).toBeLessThan(compared / 4);
  },
  180_000,
);
