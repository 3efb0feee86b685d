import fc from 'fast-check';
import { call } from './call.js';

/** The order that semver.org gives in item 11, and OPA's leave for a `v`. */
const ASCENDING = [
  '0.9.9',
  '1.0.0-alpha',
  '1.0.0-alpha.1',
  '1.0.0-alpha.beta',
  '1.0.0-beta',
  '1.0.0-beta.2',
  '1.0.0-beta.11',
  '1.0.0-rc.1',
  'v1.0.0',
  '1.0.1',
  '1.10.0',
  '9223372036854775807.0.0',
];

describe('semver.compare', () => {
  test('puts releases and what comes before them in order', () => {
    for (const [i, a] of ASCENDING.entries())
      for (const [k, b] of ASCENDING.entries()) expect(call('semver.compare', a, b)).toBe(Math.sign(i - k));
  });

  test('leaves metadata out', () => {
    expect(call('semver.compare', '1.0.0+a', '1.0.0+b')).toBe(0);
  });

  test('names the operand that is no version', () => {
    expect(() => call('semver.compare', '1.0', '1.0.0')).toThrow(
      'operand 1: string "1.0" is not a valid SemVer',
    );
    expect(() => call('semver.compare', '1.0.0', 'x')).toThrow('operand 2: string "x" is not a valid SemVer');
  });

  const part = fc.constantFrom('0', '1', '10', 'a', 'a-b', '99999999999999999999', '99999999999999999998');
  const version = fc
    .tuple(fc.nat(2), fc.nat(2), fc.nat(2), fc.array(part, { maxLength: 3 }))
    .map(([a, b, c, rest]) => `${a}.${b}.${c}${rest.length > 0 ? `-${rest.join('.')}` : ''}`);

  test('is antisymmetric and transitive', () => {
    fc.assert(
      fc.property(version, version, version, (a, b, c) => {
        const order = (x: string, y: string) => call('semver.compare', x, y) as number;
        expect(order(a, b) + order(b, a)).toBe(0);
        if (order(a, b) <= 0 && order(b, c) <= 0) expect(order(a, c)).toBeLessThanOrEqual(0);
      }),
    );
  });
});

describe('semver.is_valid', () => {
  test.each(['1.2.3', 'v1.2.3', '1.2.3-a.b-c.1+build.01', '0.0.0'])('%s is a version', (text) => {
    expect(call('semver.is_valid', text)).toBe(true);
  });

  test.each([
    '',
    '1',
    '1.2',
    '1.2.3.4',
    '01.2.3',
    '1.2.3-01',
    '1.2.3-',
    '1.2.3+',
    'vv1.2.3',
    '1.2.9223372036854775808',
  ])('%p is none', (text) => {
    expect(call('semver.is_valid', text)).toBe(false);
  });

  test('nor is a number', () => {
    expect(call('semver.is_valid', 1)).toBe(false);
  });
});
