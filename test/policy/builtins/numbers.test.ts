import { LimitError } from '../../../src/policy/builtins/limit.js';
import { HOST_BUILTINS } from '../../../src/policy/builtins/index.js';
import { call, callText, context } from './call.js';

describe('numbers.range_step', () => {
  test.each([
    ['1', '10', '3', '[1, 4, 7, 10]'],
    ['10', '1', '4', '[10, 6, 2]'],
    ['5', '5', '1', '[5]'],
    ['1.0', '3', '2', '[1, 3]'],
    ['18446744073709551616', '18446744073709551618', '2', '[18446744073709551616, 18446744073709551618]'],
  ])('from %s to %s by %s', (from, to, by, expected) => {
    expect(callText('numbers.range_step', from, to, by)).toBe(expected);
  });

  test('wants a positive step and integers', () => {
    expect(() => call('numbers.range_step', 1, 2, 0)).toThrow('step must be a positive integer');
    expect(() => call('numbers.range_step', 1, 2.5, 1)).toThrow('operand 2 must be integer number');
  });

  test('ends the evaluation for more than a million numbers', () => {
    expect(() => call('numbers.range_step', 1, 10n ** 30n, 1)).toThrow(LimitError);
    expect((call('numbers.range_step', 1, 1_000_000, 1) as unknown[]).length).toBe(1_000_000);
    expect(() => call('numbers.range_step', 0, 1_000_000, 1)).toThrow(LimitError);
  });
});

describe('rand.intn', () => {
  const intn = HOST_BUILTINS['rand.intn']!;

  test('gives the same for the same key and bound in one evaluation', () => {
    const evaluation = context();
    const first = intn(evaluation, 'key', 2n ** 62n);
    expect(intn(evaluation, 'key', 2n ** 62n)).toBe(first);
    expect(intn(evaluation, 'key', -(2n ** 62n))).toBe(first);
    expect(intn(evaluation, 'other', 2n ** 62n)).not.toBe(first);
    expect(intn(context(), 'key', 2n ** 62n)).not.toBe(first);
  });

  test('stays below the bound, and reaches all that is below it', () => {
    const drawn = new Set(Array.from({ length: 200 }, (_, i) => call('rand.intn', `key ${i}`, 3)));
    expect([...drawn].sort()).toEqual([0, 1, 2]);
    expect(call('rand.intn', 'key', 0)).toBe(0);
    expect(call('rand.intn', 'key', 1)).toBe(0);
  });

  test('draws from the source of the evaluation', () => {
    const fixed = context({ random: (length) => new Uint8Array(length).fill(1) });
    expect(intn(fixed, 'key', 256)).toBe(1);
  });
});
