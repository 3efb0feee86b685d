import fc from 'fast-check';
import { BuiltinError } from '../../../src/policy/builtins/builtin.js';
import { LimitError } from '../../../src/policy/builtins/limit.js';
import { call } from './call.js';

test('glob.quote_meta puts a backslash before what glob.match takes for more than itself', () => {
  expect(call('glob.quote_meta', '*.git[hub]{a,b}?\\!-')).toBe('\\*.git\\[hub\\]\\{a,b\\}\\?\\\\!-');
});

describe('regex.globs_match', () => {
  test.each([
    ['a.a.[0-9]+z', 'b.b.b.[0-9]+z', false],
    ['[a-z]+', '[0-9]*', false],
    ['[a-z]+[0-9]*', '[a-c]*5', true],
    ['a.*', 'ab', true],
    ['a+b*', 'aab', true],
    ['pqrs.+', '.+pqrs', true],
    ['\\*', '\\*', true],
    ['a', 'ab', false],
    ['', '', true],
  ])('%j and %j', (left, right, expected) => {
    expect(call('regex.globs_match', left, right)).toBe(expected);
  });

  test.each(['[', ']', '[a', '+', '*a', 'a**', 'a\\', '[-a]', '[a-]', '[z-a]', '[a--]'])(
    'refuses %j',
    (glob) => {
      expect(() => call('regex.globs_match', glob, 'a')).toThrow(BuiltinError);
    },
  );

  test('a glob without repetition matches itself, whichever side it is on', () => {
    const glob = fc.array(fc.constantFrom('a', '.', '[a-c]', '\\+', '😀'), { maxLength: 8 });
    fc.assert(
      fc.property(glob, glob, (a, b) => {
        expect(call('regex.globs_match', a.join(''), a.join(''))).toBe(true);
        expect(call('regex.globs_match', a.join(''), b.join(''))).toBe(
          call('regex.globs_match', b.join(''), a.join('')),
        );
      }),
    );
  });

  test('trap 95: many stars take bounded time, and too many parts end the evaluation', () => {
    const started = performance.now();
    call('regex.globs_match', `${'[ab]*[ac]*'.repeat(490)}d`, `${'[bc]+[ac]+'.repeat(490)}e`);
    expect(performance.now() - started).toBeLessThan(5_000);
    expect(() => call('regex.globs_match', 'a'.repeat(1_001), 'a')).toThrow(LimitError);
  });
});
