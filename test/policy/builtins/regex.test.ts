import fc from 'fast-check';
import { BuiltinError } from '../../../src/policy/builtins/builtin.js';
import { LimitError } from '../../../src/policy/builtins/limit.js';
import { call, callText } from './call.js';

describe('regex.find_n', () => {
  test('takes the leftmost match, and of two that begin there the one that the pattern names first', () => {
    expect(call('regex.find_n', 'a|ab', 'xabab', -1)).toEqual(['a', 'a']);
    expect(call('regex.find_n', '(?i)[k-m]+', 'aKLmb', -1)).toEqual(['KLm']);
  });

  test('finds as many as are asked for: all below zero, none for zero', () => {
    expect(call('regex.find_n', 'a.', 'axayaz', 2)).toEqual(['ax', 'ay']);
    expect(call('regex.find_n', 'a.', 'axayaz', -1)).toEqual(['ax', 'ay', 'az']);
    expect(call('regex.find_n', 'a.', 'axayaz', 0)).toEqual([]);
  });

  test('counts characters, not UTF-16, and no empty match right after another', () => {
    expect(call('regex.find_n', '.', 'é😀', -1)).toEqual(['é', '😀']);
    expect(call('regex.find_n', 'a*', 'baac', -1)).toEqual(['', 'aa', '']);
    expect(call('regex.find_n', '', '😀', -1)).toEqual(['', '']);
  });

  test('is undefined for what RE2 has not: looking around, back-references', () => {
    for (const pattern of ['(?=a)', '(?<!a)b', '(a)\\1', '(', 'a**', 'a{1001}'])
      expect(() => call('regex.find_n', pattern, 'a', -1)).toThrow(BuiltinError);
  });
});

describe('regex.split', () => {
  test.each([
    ['', 'ab', ['a', 'b']],
    ['a', '', ['']],
    ['', '', []],
    [',', ',a,,b,', ['', 'a', '', 'b', '']],
    ['a*', 'baac', ['b', 'c']],
    ['(,)', '1,2', ['1', '2']],
  ])('%j splits %j', (pattern, text, parts) => {
    expect(call('regex.split', pattern, text)).toEqual(parts);
  });
});

describe('regex.replace', () => {
  test.each([
    ['-ab-axxb-', 'a(x*)b', '$1', '--xx-'],
    ['-ab-axxb-', 'a(x*)b', '$1W', '---'],
    ['-ab-axxb-', 'a(x*)b', '${1}W', '-W-xxW-'],
    ['-ab-', 'a(?P<last>b)', '<${last}>', '-<b>-'],
    ['ab', '(a)|(b)', '[$1$2]', '[a][b]'],
    ['ab', 'b', '$$1 $9 ${', 'a$1  ${'],
    ['ab', 'b', '$01 $ $- ${1', 'a $ $- ${1'],
    ['foo', '^[a-z]', 'F', 'Foo'],
    ['baac', 'a*', 'x', 'xbxcx'],
  ])('in %j %j becomes %j', (text, pattern, replacement, expected) => {
    expect(call('regex.replace', text, pattern, replacement)).toBe(expected);
  });

  test('replaces a literal as splitting and joining does', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '.', '😀'), maxLength: 20 });
    fc.assert(
      fc.property(text, text, (base, to) => {
        expect(call('regex.replace', base, '\\.', to)).toBe(base.split('.').join(to));
      }),
    );
  });
});

test('regex.template_match takes what is in delimiters for a pattern, and the rest as it is', () => {
  expect(call('regex.template_match', 'urn:foo.bar:<[a-z]{2,3}>', 'urn:foo.bar:abc', '<', '>')).toBe(true);
  expect(call('regex.template_match', 'urn:foo.bar:<[a-z]{2,3}>', 'urn:fooxbar:abc', '<', '>')).toBe(false);
  expect(call('regex.template_match', 'a{b{2}}', 'abb', '{', '}')).toBe(true);
  for (const template of ['<', '>', '<(>', '><'])
    expect(() => call('regex.template_match', template, '', '<', '>')).toThrow(BuiltinError);
  expect(() => call('regex.template_match', 'a', 'a', '<<', '>')).toThrow('start delimiter');
  expect(() => call('regex.template_match', 'a', 'a', '<', 'é')).toThrow('end delimiter');
});

describe('trap 95: a catastrophic-looking regular expression', () => {
  const long = 'a'.repeat(30_000);

  test.each(['(a+)+$', '(a|aa)*c', '(a*)*b', '(.*){1000}b', '(a?){500}a{500}x'])(
    '%s takes bounded time',
    (pattern) => {
      const started = performance.now();
      expect(() => {
        const found = callText('regex.find_n', JSON.stringify(pattern), JSON.stringify(`${long}!`), '-1');
        expect(found).toBe('[]');
      }).not.toThrow(BuiltinError);
      expect(performance.now() - started).toBeLessThan(5_000);
    },
  );

  test('one that takes quadratic time even in RE2 ends the evaluation', () => {
    expect(() => call('regex.find_n', '(?:[^x]*x|y)', 'y'.repeat(200_000), -1)).toThrow(LimitError);
  });

  test('so do a pattern, a product of pattern and text, and a result beyond their bounds', () => {
    expect(() => call('regex.split', 'a'.repeat(32_769), '')).toThrow(LimitError);
    expect(() => call('regex.split', 'a{1000}', 'a'.repeat(60_000))).toThrow(LimitError);
    expect(() => call('regex.replace', 'a'.repeat(10_000), 'a', 'b'.repeat(1_000))).toThrow(LimitError);
  });
});
