import fc from 'fast-check';
import { LimitError } from '../../../src/policy/builtins/limit.js';
import { RegoSet } from '../../../src/policy/value.js';
import { call, callText } from './call.js';

describe('indexof_n', () => {
  test('finds every occurrence, overlaps too, by characters', () => {
    expect(call('indexof_n', 'banana', 'ana')).toEqual([1, 3]);
    expect(call('indexof_n', '😀a😀a', 'a')).toEqual([1, 3]);
    expect(call('indexof_n', 'x', 'y')).toEqual([]);
  });

  test('looks for no empty string', () => {
    expect(() => call('indexof_n', 'x', '')).toThrow('empty search character');
  });

  test('finds what a plain search finds', () => {
    const text = fc.array(fc.constantFrom('a', 'b', '😀'), { maxLength: 12 });
    fc.assert(
      fc.property(
        text,
        fc.array(fc.constantFrom('a', 'b', '😀'), { minLength: 1, maxLength: 3 }),
        (base, search) => {
          const expected = base.flatMap((_, i) =>
            search.every((item, k) => base[i + k] === item) ? [i] : [],
          );
          expect(call('indexof_n', base.join(''), search.join(''))).toEqual(expected);
        },
      ),
    );
  });

  test('takes time in proportion, however much a text repeats itself', () => {
    const began = performance.now();
    call('indexof_n', 'a'.repeat(100_000), `${'a'.repeat(50_000)}b`);
    expect(performance.now() - began).toBeLessThan(2000);
  });
});

describe('strings.any_prefix_match and strings.any_suffix_match', () => {
  test('take strings, arrays and sets', () => {
    expect(call('strings.any_prefix_match', 'a/b/c', 'a/')).toBe(true);
    expect(call('strings.any_prefix_match', ['x', 'a/b'], new RegoSet(['z', 'a/']))).toBe(true);
    expect(call('strings.any_prefix_match', ['x'], [])).toBe(false);
    expect(call('strings.any_suffix_match', new RegoSet(['a.go', 'b.ts']), ['.js', '.ts'])).toBe(true);
    expect(call('strings.any_suffix_match', 'a.go', '.ts')).toBe(false);
  });

  test('take nothing else', () => {
    expect(() => call('strings.any_prefix_match', 1, 'a')).toThrow(
      'operand 1 must be one of {string, set, array} but got number',
    );
    expect(() => call('strings.any_suffix_match', 'a', ['a', 1])).toThrow(
      'operand 2 must be array or set of strings',
    );
  });

  test('answer as startsWith and endsWith would', () => {
    const some = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', '😀'), maxLength: 4 }), {
      maxLength: 6,
    });
    fc.assert(
      fc.property(some, some, (texts, bases) => {
        const any = (match: (text: string, base: string) => boolean) =>
          texts.some((text) => bases.some((base) => match(text, base)));
        expect(call('strings.any_prefix_match', texts, bases)).toBe(
          any((text, base) => text.startsWith(base)),
        );
        expect(call('strings.any_suffix_match', texts, bases)).toBe(any((text, base) => text.endsWith(base)));
      }),
    );
  });
});

describe('strings.count', () => {
  test.each([
    ['cheese', 'e', 3],
    ['aaaa', 'aa', 2],
    ['é😀', '', 3],
    ['', '', 1],
  ])('of %p in %p', (text, search, expected) => {
    expect(call('strings.count', text, search)).toBe(expected);
  });
});

describe('strings.split_n', () => {
  test.each([
    ['2', '["a", "b"]'],
    ['9', '["a", "b", "c"]'],
    ['0', '[]'],
    ['-1', '["c"]'],
    ['-9', '["a", "b", "c"]'],
  ])('keeps %s parts of a,b,c', (limit, expected) => {
    expect(callText('strings.split_n', '"a,b,c"', '","', limit)).toBe(expected);
  });

  test('splits into characters by the empty string', () => {
    expect(call('strings.split_n', 'é😀x', '', 2)).toEqual(['é', '😀']);
  });

  test('wants an integer', () => {
    expect(() => call('strings.split_n', 'a', ',', 1.5)).toThrow('operand 3 must be integer number');
    expect(() => call('strings.split_n', 'a', ',', 2n ** 63n)).toThrow('operand 3 must be integer number');
  });
});

describe('replace', () => {
  test.each([
    ['abcab', 'ab', 'x', 'xcx'],
    ['aaa', 'aa', 'b', 'ba'],
    ['abc', 'd', 'x', 'abc'],
    ['abc', '$&', 'x', 'abc'],
    ['abc', 'b', '$&', 'a$&c'],
    ['日本語', '本', '', '日語'],
    // As strings.NewReplacer of Go 1.26.8 answers, which OPA asks:
    ['abc', '', 'x', 'xaxbxcx'],
    ['', '', 'x', 'x'],
    ['abc', '', '', 'abc'],
    ['é', '', 'x', 'x\ufffdx\ufffdx'],
  ])('in %j of %j by %j gives %j', (text, old, replacement, expected) => {
    expect(call('replace', text, old, replacement)).toBe(expected);
  });

  test('is what JavaScript has, for a text that is not empty', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '😀'), maxLength: 20 });
    fc.assert(
      fc.property(text, text, text, (whole, old, replacement) => {
        fc.pre(old !== '');
        expect(call('replace', whole, old, replacement)).toBe(whole.split(old).join(replacement));
      }),
    );
  });

  test('ends the evaluation where the result would be too long', () => {
    const long = 'a'.repeat(1_000_000);
    expect(() => call('replace', long, '', long)).toThrow(LimitError);
    expect(() => call('replace', long, 'a', 'abcdef')).toThrow(LimitError);
    expect(call('replace', long, 'a', 'ab')).toHaveLength(2_000_000);
  });

  test('wants texts', () => {
    expect(() => call('replace', 1, 'a', 'b')).toThrow('operand 1 must be string');
    expect(() => call('replace', 'a', 1, 'b')).toThrow('operand 2 must be string');
    expect(() => call('replace', 'a', 'b', 1)).toThrow('operand 3 must be string');
  });
});

describe('a text that is looked for', () => {
  // The engine's own search takes 40 seconds for each.
  test.each(['replace', 'strings.count', 'strings.split_n', 'indexof'])(
    'takes %s no longer for repeating itself',
    (name) => {
      const wanted = `${'a'.repeat(250_000)}b${'a'.repeat(250_000)}`;
      const rest = name === 'replace' ? ['x'] : name === 'strings.split_n' ? [1] : [];
      const started = performance.now();
      call(name, 'a'.repeat(1_000_000), wanted, ...rest);
      expect(performance.now() - started).toBeLessThan(2_000);
    },
  );

  test('is found in a long one where it is in a short one', () => {
    const text = `${'ab'.repeat(1000)}😀c${'ab'.repeat(1000)}`;
    const wanted = `😀c${'ab'.repeat(700)}`;
    expect(call('indexof', text, wanted)).toBe(2000);
    expect(call('replace', text, wanted, '-')).toBe(`${'ab'.repeat(1000)}-${'ab'.repeat(300)}`);
    expect(call('strings.count', 'ab'.repeat(2000), 'ab'.repeat(600))).toBe(3);
  });
});

describe('indexof', () => {
  test.each([
    ['abc', 'c', 2],
    ['abc', 'd', -1],
    ['😀é語a', '語', 2],
    ['', 'a', -1],
  ])('in %j of %j is %p', (text, wanted, expected) => {
    expect(call('indexof', text, wanted)).toBe(expected);
  });

  test('looks for no empty string', () => {
    expect(() => call('indexof', 'x', '')).toThrow('empty search character');
  });
});
