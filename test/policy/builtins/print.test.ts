import { PRINT } from '../../../src/policy/builtins/print.js';
import { RegoSet, type RegoValue } from '../../../src/policy/value.js';

function printed(...operands: RegoValue[]): string[] {
  const lines: string[] = [];
  const context = {
    now: 0n,
    random: () => new Uint8Array(),
    cache: new Map(),
    print: (line: string) => lines.push(line),
  };
  expect(PRINT['internal.print']!(context, operands)).toBe(true);
  return lines;
}

describe('print', () => {
  test('writes strings as they are and other values as Rego has them', () => {
    expect(printed(new RegoSet(['a b']), new RegoSet([1]), new RegoSet([['x', new RegoSet([])]]))).toEqual([
      'a b 1 ["x", set()]',
    ]);
  });

  test('writes a line for each combination of values, and says what is undefined', () => {
    expect(printed(new RegoSet(['a', 'b']), new RegoSet([1, 2]))).toEqual(['a 1', 'a 2', 'b 1', 'b 2']);
    expect(printed('a', new RegoSet([]))).toEqual(['a <undefined>']);
  });

  test('does not write more than anybody reads', () => {
    const many = new RegoSet(Array.from({ length: 101 }, (_, i) => i));
    expect(() => printed(many, many)).toThrow('print of more than 10000 lines');
  });

  test('is discarded where nobody listens', () => {
    const context = { now: 0n, random: () => new Uint8Array(), cache: new Map() };
    expect(PRINT['internal.print']!(context, [new RegoSet(['a'])])).toBe(true);
  });
});
