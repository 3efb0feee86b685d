import fc from 'fast-check';
import { ExactNumber, parseExact, stringifyExact } from '../../src/json/exact.js';

describe('parseExact', () => {
  test('agrees with JSON.parse on every JSON text that a double can hold', () => {
    fc.assert(
      fc.property(fc.jsonValue({ depthSize: 'small', maxDepth: 6 }), (value) => {
        const text = JSON.stringify(value);
        expect(JSON.parse(stringifyExact(parseExact(text)))).toEqual(JSON.parse(text));
      }),
    );
  });

  test('never throws anything but a SyntaxError', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        try {
          parseExact(text);
        } catch (error) {
          expect(error).toBeInstanceOf(SyntaxError);
        }
      }),
    );
  });

  test('accepts exactly what JSON.parse accepts, repeated names and deep nesting aside', () => {
    const pieces = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"a"',
      '"b"',
      '1',
      '-0',
      '01',
      '1.',
      '1e5',
      'true',
      'nul',
      ' ',
      '\t',
      '\\',
      '"\\u00e9"',
      '"\\x"',
      '\u00a0',
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
        const text = parts.join('');
        const theirs = attempt(() => JSON.parse(text) as unknown);
        const ours = attempt(() => parseExact(text));
        if (ours === FAILED && theirs !== FAILED)
          expect(() => parseExact(text)).toThrow('repeated member name');
        else expect(ours === FAILED).toBe(theirs === FAILED);
      }),
      { numRuns: 5000 },
    );
  });

  test('keeps integers beyond 2^53 - 1 exact', () => {
    expect(parseExact('9007199254740993')).toBe(9007199254740993n);
    expect(parseExact('9007199254740991')).toBe(9007199254740991);
    expect(stringifyExact({ n: parseExact('[-9007199254740993]') })).toBe('{"n":[-9007199254740993]}');
  });

  test('keeps numbers that neither a double nor a bigint should hold as they were written', () => {
    for (const text of ['9'.repeat(41), '1e400', '1e-400', '0.1000000000000000055511']) {
      expect(parseExact(text)).toEqual(new ExactNumber(text));
      expect(stringifyExact(parseExact(text))).toBe(text);
    }
    expect(parseExact('0.1')).toBe(0.1);
    expect(parseExact('0.0')).toBe(0);
  });

  test.each(['{"a":1,"a":1}', '{"x":{"a":1,"\\u0061":2}}'])('refuses a repeated member name: %s', (text) => {
    expect(() => parseExact(text)).toThrow('repeated member name');
  });

  test('a member called __proto__ is a member like any other', () => {
    const value = parseExact('{"__proto__":{"admin":true}}') as Record<string, unknown>;
    expect(Object.keys(value)).toEqual(['__proto__']);
    expect(value.admin).toBeUndefined();
    expect(stringifyExact(value)).toBe('{"__proto__":{"admin":true}}');
  });

  test('refuses nesting beyond the bound, and never runs out of stack', () => {
    expect(() => parseExact('[[[]]]', { maxDepth: 2 })).toThrow('nested deeper than 2 at offset 2');
    expect(() => parseExact('['.repeat(1_000_000))).toThrow('nested deeper than 64');
  });

  test('lets the first or the last of repeated members count where that is asked for', () => {
    const text = '{"a":1,"b":{"c":1},"a":2}';
    expect(parseExact(text, { repeated: 'first' })).toEqual({ a: 1, b: { c: 1 } });
    expect(parseExact(text, { repeated: 'last' })).toEqual({ a: 2, b: { c: 1 } });
  });

  test('says where, and never quotes what', () => {
    expect(() => parseExact('{"secret":"s3cr3t" oops}')).toThrow(/^expected , or } at offset 19$/);
  });
});

describe('stringifyExact', () => {
  test('refuses what JSON cannot say', () => {
    expect(() => stringifyExact({ n: 1n, bad: Number.NaN })).toThrow(TypeError);
    expect(() => stringifyExact({ n: 1n, bad: () => 1 })).toThrow('JSON has no function');
    const cycle: unknown[] = [];
    cycle.push(cycle);
    expect(() => stringifyExact(cycle)).toThrow('nested too deeply');
  });

  test('leaves out members that are undefined, with and without big numbers', () => {
    expect(stringifyExact({ a: undefined, b: 1 })).toBe('{"b":1}');
    expect(stringifyExact({ a: undefined, b: 1n })).toBe('{"b":1}');
  });
});

const FAILED = Symbol('failed');

function attempt(work: () => unknown): unknown {
  try {
    return work();
  } catch {
    return FAILED;
  }
}
