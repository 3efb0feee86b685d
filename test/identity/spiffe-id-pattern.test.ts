import { matchSpiffeIds } from '../../src/identity/spiffe-id-pattern.js';

const FRONTEND = 'spiffe://example.org/ns/shop/sa/frontend';

describe('a pattern for SPIFFE IDs', () => {
  test.each([
    [FRONTEND, true],
    ['spiffe://example.org/ns/*/sa/frontend', true],
    ['spiffe://example.org/*/*/*/*', true],
    ['spiffe://example.org/**', true],
    ['spiffe://example.org/ns/shop/**', true],
    ['spiffe://example.org/ns/shop/sa/frontend/**', false],
    ['spiffe://example.org/*', false],
    ['spiffe://example.org/ns/*/frontend', false],
    ['spiffe://example.org/ns/shop/sa/front', false],
    ['spiffe://example.org/ns/shop/sa', false],
    ['spiffe://example-org/**', false],
    ['spiffe://exampleXorg/**', false],
    ['spiffe://org/**', false],
  ])('%s: %s', (pattern, matches) => {
    expect(matchSpiffeIds([pattern])(FRONTEND)).toBe(matches);
  });

  test('a dot stands for itself, and nothing before or after may be added', () => {
    const matches = matchSpiffeIds(['spiffe://example.org/v1.0/*']);
    expect(matches('spiffe://example.org/v1.0/web')).toBe(true);
    for (const other of [
      'spiffe://example.org/v1x0/web',
      'spiffe://examplexorg/v1.0/web',
      'spiffe://example.org/v1.0/web/admin',
      'spiffe://example.org/v1.0/',
      'xspiffe://example.org/v1.0/web',
      'spiffe://example.org/v1.0',
    ])
      expect([other, matches(other)]).toEqual([other, false]);
  });

  test('of several, one is enough; of none, nobody matches', () => {
    expect(matchSpiffeIds(['spiffe://example.org/a', 'spiffe://example.org/ns/**'])(FRONTEND)).toBe(true);
    expect(matchSpiffeIds([])(FRONTEND)).toBe(false);
  });

  test('a long ID that almost matches takes no time to speak of', () => {
    const matches = matchSpiffeIds(['spiffe://example.org/*/*/*/*/*/*/*/*/x/**']);
    const started = performance.now();
    for (let i = 0; i < 1000; i++) matches(`spiffe://example.org${'/a'.repeat(1000)}`);
    expect(performance.now() - started).toBeLessThan(1000);
  });
});
