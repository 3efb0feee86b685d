/**
 * Fuzzes the parsers of what a request brings as identity and as a token:
 *
 *   npm run fuzz -- [--count 1000000] [--seed 1] [--only xfcc]
 */
import { parseArgs } from 'node:util';
import { fuzz } from './run.js';
import { TARGETS } from './targets.js';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
  },
});
const [count, seed] = [Number(values.count), Number(values.seed)];
const names = Object.keys(TARGETS).filter((name) => values.only === undefined || name === values.only);
if (!(count > 0) || !Number.isInteger(seed) || names.length === 0)
  throw new Error(`usage: npm run fuzz -- [--count N] [--seed N] [--only ${Object.keys(TARGETS).join('|')}]`);

for (const name of names) {
  const started = performance.now();
  fuzz(name, TARGETS[name]!, { count, seed });
  const seconds = (performance.now() - started) / 1000;
  process.stdout.write(`${name}: ${count} inputs from seed ${seed} in ${seconds.toFixed(1)} s\n`);
}
