import fc from 'fast-check';
import { BuiltinError } from '../../../src/policy/builtins/builtin.js';
import { LimitError } from '../../../src/policy/builtins/limit.js';
import type { RegoSet, RegoValue } from '../../../src/policy/value.js';
import { call, callText } from './call.js';

describe('net.cidr_is_valid', () => {
  test.each([
    '192.0.2.0/24',
    '192.0.2.1/32',
    '0.0.0.0/0',
    '10.0.0.0/08',
    '2001:db8::/32',
    '::ffff:192.0.2.1/120',
  ])('%s is', (cidr) => expect(call('net.cidr_is_valid', cidr)).toBe(true));

  test.each([
    '',
    '192.0.2.0',
    '192.0.2/24',
    '192.0.2.0/33',
    '192.0.02.0/24',
    '192.0.2.0/-1',
    '192.0.2.0/',
    '::/129',
    'fe80::1%eth0/64',
    '1:2:3:4:5:6:7::8/64',
    '1::2::3/64',
  ])('%j is not', (cidr) => expect(call('net.cidr_is_valid', cidr)).toBe(false));

  test('nor is anything but a string', () => expect(call('net.cidr_is_valid', 1)).toBe(false));
});

describe('net.cidr_expand', () => {
  test('gives every address, from the first one on', () => {
    expect(callText('net.cidr_expand', '"192.0.2.7/30"')).toBe(
      '{"192.0.2.4", "192.0.2.5", "192.0.2.6", "192.0.2.7"}',
    );
    expect(callText('net.cidr_expand', '"2001:db8::f/127"')).toBe('{"2001:db8::e", "2001:db8::f"}');
    expect(callText('net.cidr_expand', '"::ffff:192.0.2.1/128"')).toBe('{"192.0.2.1"}');
  });

  test('gives a /16, and no more', () => {
    expect((call('net.cidr_expand', '10.1.0.0/16') as RegoSet).size).toBe(65_536);
    expect(() => call('net.cidr_expand', '10.0.0.0/15')).toThrow(LimitError);
    expect(() => call('net.cidr_expand', '::/0')).toThrow(LimitError);
  });

  test('is undefined for what is no CIDR', () => {
    expect(() => call('net.cidr_expand', '10.0.0.0')).toThrow(BuiltinError);
  });
});

describe('net.cidr_contains_matches', () => {
  test.each([
    ['"10.0.0.0/8"', '"10.1.2.3"', '{["10.0.0.0/8", "10.1.2.3"]}'],
    ['["10.0.0.0/8", "::/0"]', '["10.1.0.0/16", "fe80::1"]', '{[0, 0], [1, 1]}'],
    ['{"10.0.0.0/8"}', '[["10.1.2.3", "x"]]', '{["10.0.0.0/8", 0]}'],
    ['{"a": ["10.0.0.0/8", 1]}', '{"b": "10.1.2.3"}', '{["a", "b"]}'],
    ['["10.0.0.0/16"]', '["10.0.0.0/8"]', 'set()'],
    ['["::/80"]', '["::/80"]', '{[0, 0]}'],
    ['[]', '[1]', 'set()'],
  ])('%s of %s', (outer, inner, expected) => {
    expect(callText('net.cidr_contains_matches', outer, inner)).toBe(expected);
  });

  test.each([
    ['["x"]', '["10.1.2.3"]'],
    ['["10.0.0.0/8"]', '["x"]'],
    ['["10.0.0.0/8"]', '[1]'],
    ['["10.0.0.0/8"]', '[[]]'],
  ])('is undefined for %s of %s', (outer, inner) => {
    expect(() => callText('net.cidr_contains_matches', outer, inner)).toThrow(BuiltinError);
  });

  test('ends the evaluation for too many pairs', () => {
    const many = (count: number, cidr: string) => Array<RegoValue>(count).fill(cidr);
    expect(() =>
      call('net.cidr_contains_matches', many(1_001, '10.0.0.0/8'), many(1_000, '11.1.1.1')),
    ).toThrow(LimitError);
    expect(() => call('net.cidr_contains_matches', many(300, '10.0.0.0/8'), many(300, '10.1.1.1'))).toThrow(
      LimitError,
    );
  });

  test('every address of an expanded network is in it', () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.integer({ min: 26, max: 32 }), (address, prefix) => {
        const cidr = `${address}/${prefix}`;
        const all = call('net.cidr_expand', cidr) as RegoSet;
        expect(all.has(address)).toBe(true);
        expect(all.size).toBe(2 ** (32 - prefix));
        expect((call('net.cidr_contains_matches', cidr, all) as RegoSet).size).toBe(all.size);
      }),
      { numRuns: 50 },
    );
  });
});

describe('net.cidr_merge', () => {
  test.each([
    ['["192.0.128.0/24", "192.0.129.0/24"]', '{"192.0.128.0/23"}'],
    ['{"10.0.0.0/8", "10.1.0.0/16"}', '{"10.0.0.0/8"}'],
    ['["192.0.2.7"]', '{"192.0.2.7/24"}'],
    ['["192.0.2.7", "192.0.2.0/24"]', '{"192.0.2.0/24"}'],
    ['["2001:db8::/33", "2001:db8:8000::/33"]', '{"2001:db8::/32"}'],
    ['["10.0.0.0/8", "::/0"]', '{"::/0"}'],
    ['["255.255.255.255/32", "::1:0:0:0/128"]', '{"255.255.255.255/32", "::1:0:0:0/128"}'],
    ['[]', 'set()'],
  ])('%s', (networks, expected) => {
    expect(callText('net.cidr_merge', networks)).toBe(expected);
  });

  test('is undefined for an IPv6 address without a length, and for what is no network', () => {
    for (const networks of ['["2001:db8::1"]', '["x"]', '[1]', '"10.0.0.0/8"'])
      expect(() => callText('net.cidr_merge', networks)).toThrow(BuiltinError);
  });

  test('covers exactly the addresses that went in, with no two networks that could be one', () => {
    const cidr = fc
      .tuple(fc.nat(3), fc.nat(255), fc.integer({ min: 25, max: 32 }))
      .map(([c, d, prefix]) => `10.0.${c}.${d}/${prefix}`);
    const expand = (cidrs: Iterable<RegoValue>) =>
      [...new Set([...cidrs].flatMap((one) => [...(call('net.cidr_expand', one) as RegoSet)]))].sort();
    fc.assert(
      fc.property(fc.array(cidr, { maxLength: 8 }), (cidrs) => {
        const merged = call('net.cidr_merge', cidrs) as RegoSet;
        expect(expand(merged)).toEqual(expand(cidrs));
        expect(call('net.cidr_merge', [...merged])).toEqual(merged);
      }),
      { numRuns: 100 },
    );
  });
});

describe('net.cidr_contains', () => {
  test.each([
    ['10.0.0.0/8', '10.1.2.3', true],
    ['10.0.0.0/8', '11.1.2.3', false],
    ['10.0.0.0/8', '10.1.0.0/16', true],
    ['10.0.0.0/8', '10.0.0.0/7', false],
    ['10.0.0.0/8', '::ffff:10.0.0.1', true],
    ['::ffff:10.0.0.0/104', '10.0.0.1', true],
    ['::/0', '10.0.0.1', false],
    ['::/80', '::/80', true],
    ['2001:db8::/32', '2001:db8:1::/48', true],
  ])('of %s and %s is %p', (network, inner, expected) => {
    expect(call('net.cidr_contains', network, inner)).toBe(expected);
  });

  test.each([
    ['10.0.0.0/8abc', '10.0.0.1'],
    ['10.0.0.1', '10.0.0.1'],
    ['10.0.0.0/8', 'x'],
    ['10.0.0.0/8', '10.0.0.0/8abc'],
  ])('of %s and %s is none', (network, inner) => {
    expect(() => call('net.cidr_contains', network, inner)).toThrow(BuiltinError);
  });
});

describe('net.cidr_intersects', () => {
  test.each([
    ['10.0.0.0/8', '10.1.0.0/16', true],
    ['10.1.0.0/16', '10.0.0.0/8', true],
    ['10.0.0.0/9', '10.128.0.0/9', false],
    ['0.0.0.0/0', '::/0', false],
    ['::ffff:10.0.0.0/104', '10.0.0.0/8', true],
  ])('of %s and %s is %p', (a, b, expected) => {
    expect(call('net.cidr_intersects', a, b)).toBe(expected);
  });

  test('looks at all of the text', () => {
    expect(() => call('net.cidr_intersects', '10.0.0.0/8', '10.0.0.0/8abc')).toThrow(BuiltinError);
    expect(() => call('net.cidr_intersects', '10.0.0.1', '10.0.0.0/8')).toThrow(BuiltinError);
  });
});
