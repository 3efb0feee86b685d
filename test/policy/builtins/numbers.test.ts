import { BuiltinError } from '../../../src/policy/builtins/builtin.js';
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

describe('format_int', () => {
  test.each([
    ['10', '16', '"a"'],
    ['-10', '2', '"-1010"'],
    ['18446744073709551617', '10', '"18446744073709551617"'],
    ['-18446744073709551617', '16', '"-10000000000000001"'],
    ['15.9', '16', '"f"'],
    ['-15.9', '16', '"-f"'],
    ['-0.5', '10', '"0"'],
    ['1e3', '8', '"1750"'],
    ['1e-300', '10', '"0"'],
    // Rounded to 64 bits, as OPA's own evaluator answers:
    ['1e30', '10', '"1000000000000000000024696061952"'],
    ['0.99999999999999999999999', '10', '"1"'],
    ['0.9999999999999999', '10', '"0"'],
  ])('of %s to the base %s is %s', (number, base, expected) => {
    expect(callText('format_int', number, base)).toBe(expected);
  });

  test('knows four bases', () => {
    expect(() => call('format_int', 1, 3)).toThrow('operand 2 must be one of');
    expect(() => callText('format_int', '1', '10.0')).toThrow('operand 2 must be one of');
  });

  test('ends the evaluation for numbers that take long to write', () => {
    expect(() => callText('format_int', '1e100000000', '10')).toThrow(LimitError);
    expect(() => callText('format_int', '9'.repeat(20_000), '10')).toThrow(LimitError);
  });
});

describe('to_number', () => {
  test.each([
    ['null', '0'],
    ['true', '1'],
    ['false', '0'],
    ['2.50', '2.50'],
    ['"18446744073709551617"', '18446744073709551617'],
    ['"-1.50"', '-1.50'],
    ['"+5"', '5'],
    ['"007"', '7'],
    ['".5"', '0.5'],
    ['"5."', '5'],
    ['"1E-400"', '1E-400'],
  ])('of %s is %s', (value, expected) => {
    expect(callText('to_number', value)).toBe(expected);
  });

  test.each(['', 'x', ' 5', '5 ', '.', '-', 'inf', '+Infinity', 'NaN', '1e400', '1__0', '0x10', '1e-40000'])(
    'of %j is none',
    (text) => expect(() => call('to_number', text)).toThrow(BuiltinError),
  );

  test.each(['0x1p-2', '1_0'])('of %s, which OPA writes out as it is, ends the evaluation', (text) => {
    expect(() => call('to_number', text)).toThrow(LimitError);
  });

  test('wants no collection', () => {
    expect(() => call('to_number', [])).toThrow('operand 1 must be number');
  });
});
