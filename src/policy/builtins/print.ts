import { formatValue } from '../text.js';
import { RegoSet, type RegoValue } from '../value.js';
import { operand, type Builtins } from './builtin.js';
import { LimitError } from './limit.js';

/** internal.print, which the compiler makes of `print` where it is told to leave that in. */
export const PRINT: Builtins = {
  /** Operands come as sets, since each may have any number of values: one line for each combination. */
  'internal.print': ({ print }, value) => {
    if (print === undefined) return true;
    const choices = operand(value, 1, 'array').map(words);
    const lines = choices.reduce((product, { length }) => product * length, 1);
    if (lines > MOST_LINES) throw new LimitError(`print of more than ${MOST_LINES} lines at once`);
    for (const line of combinations(choices)) print(line.join(' '));
    return true;
  },
};

/** A caller may have written what decides how many combinations there are. */
const MOST_LINES = 10_000;

function words(value: RegoValue): string[] {
  if (!(value instanceof RegoSet)) return [word(value)];
  return value.size === 0 ? ['<undefined>'] : Array.from(value, word);
}

function word(value: RegoValue): string {
  return typeof value === 'string' ? value : formatValue(value);
}

function combinations(choices: readonly string[][]): string[][] {
  return choices.reduce<string[][]>(
    (lines, next) => lines.flatMap((line) => next.map((one) => [...line, one])),
    [[]],
  );
}
