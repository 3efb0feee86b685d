import type { Random } from '../../support/random.js';

/**
 * Texts of numbers to reckon with: few digits, of base 2. OPA's Wasm reckons in decimals and topdown in binary
 * fractions, so that even 0.1 + 7 differs in the last digit.
 */
export const NUMBERS = ['0', '1', '2', '3', '7', '10', '-1', '-3', '0.5', '1.5', '-1.25', '1e3', '100'];

/** Nothing but comparison and what keeps them whole is asked of these: see OPA's issue 3711 as well. */
export const EXACT = [
  '0.1',
  '0.3',
  '9007199254740992',
  '9007199254740993',
  '-9007199254740993',
  '18446744073709551616',
  '123456789012345678901234567890',
  '3.14159265358979323846',
  '0.1000000000000000055511151231257827',
  '1e20',
  '100000000000000000000',
];

export const STRINGS = [
  '',
  'a',
  'b',
  'ab',
  'alice',
  'bob',
  'Admin',
  'a/b/c',
  'a.b.c',
  '10.0.0.1',
  '10.0.0.0/8',
  '1.2.3',
  '1.2.3-rc.1',
  '10Mi',
  '2K',
  '5',
  'é',
  'ß',
  'ÀÉ',
  '日本語',
  '😀',
  '\uffff',
  'a"b\\c',
  'tab\tnew\nline',
  '%d and %s',
  '2024-02-29T12:30:45.123456789Z',
  'YWJj',
  '{"a": [1, 2.50]}',
  'true',
];

/** The text of a JSON value. */
export function json(random: Random, depth: number, numbers = EXACT): string {
  switch (random.below(depth > 0 ? 8 : 5)) {
    case 0:
      return random.of(['null', 'true', 'false']);
    case 1:
      return random.of(NUMBERS);
    case 2:
      return random.of(numbers);
    case 3:
    case 4:
      return string(random);
    case 5:
    case 6:
      return `[${random.some(0, 4, () => json(random, depth - 1, numbers)).join(', ')}]`;
    default:
      return object(random, () => json(random, depth - 1, numbers));
  }
}

export function string(random: Random): string {
  return JSON.stringify(random.of(STRINGS));
}

export function object(random: Random, value: () => string): string {
  const keys = new Set(random.some(0, 4, () => random.of(['a', 'b', 'alice', 'é', ''])));
  return `{${[...keys].map((key) => `${JSON.stringify(key)}: ${value()}`).join(', ')}}`;
}

/** What policies ask `input` for: each member of one type, some of the time left out or of any type at all. */
export function input(random: Random): string {
  const members: readonly (readonly [string, () => string])[] = [
    ['n', () => random.of(NUMBERS)],
    ['m', () => random.of(NUMBERS)],
    ['big', () => random.of(EXACT)],
    ['s', () => string(random)],
    ['t', () => string(random)],
    ['b', () => random.of(['true', 'false'])],
    ['nums', () => `[${random.some(0, 5, () => random.of(NUMBERS)).join(', ')}]`],
    ['strs', () => `[${random.some(0, 5, () => string(random)).join(', ')}]`],
    ['list', () => `[${random.some(0, 4, () => json(random, 2)).join(', ')}]`],
    ['obj', () => object(random, () => json(random, 1))],
    ['any', () => json(random, 3)],
  ];
  const present = members.filter(() => !random.once(12));
  return `{${present.map(([name, make]) => `"${name}": ${random.once(15) ? json(random, 2, NUMBERS) : make()}`).join(', ')}}`;
}

/** Data is for all policies the same kind of thing. */
export function data(random: Random): string {
  return `{"nums": [1, 2, 3, 10], "strs": ["a", "é", "alice"], "obj": ${object(random, () => json(random, 1))}, "users": {"alice": {"level": 3, "roles": ["admin", "dev"]}, "bob": {"level": 1, "roles": []}}}`;
}
