import fc from 'fast-check';
import { closest, editDistance } from '../../src/config/suggest.js';

const KEYS = ['issuer', 'audiences', 'jwks', 'algorithms', 'trust_domains', 'max_lifetime', 'clock_skew'];

test.each([
  ['audience', 'audiences'],
  ['isuser', 'issuer'],
  ['jkws', 'jwks'],
  ['trustDomains', 'trust_domains'],
  ['max-lifetime', 'max_lifetime'],
  ['AUDIENCES', 'audiences'],
  ['algorithm', 'algorithms'],
])('%s was meant as %s', (name, meant) => {
  expect(closest(name, KEYS)).toBe(meant);
});

test.each(['', 'x', 'metrics', 'audit', 'a'.repeat(100_000)])(
  'nothing is guessed for what is far off',
  (name) => {
    expect(closest(name, KEYS)).toBeUndefined();
  },
);

test('of two that are near, the nearer one is meant', () => {
  expect(closest('entrypoint', ['entrypoints', 'entrypoint'])).toBe('entrypoint');
});

test('distance counts insertions, deletions, substitutions and swapped neighbours', () => {
  expect(editDistance('abc', 'abcd')).toBe(1);
  expect(editDistance('abc', 'ac')).toBe(1);
  expect(editDistance('abc', 'axc')).toBe(1);
  expect(editDistance('abc', 'acb')).toBe(1);
  expect(editDistance('abc', 'xyz')).toBe(3);
});

test('distance is nothing exactly between equals, and no more than the longer name', () => {
  const name = fc.string({ minLength: 4, maxLength: 8 });
  fc.assert(
    fc.property(name, name, (a, b) => {
      const distance = editDistance(a, b);
      expect(distance === 0).toBe(a === b);
      expect(distance).toBeLessThanOrEqual(Math.max(a.length, b.length));
      expect(editDistance(b, a)).toBe(distance);
    }),
  );
});
