import fc from 'fast-check';
import { ExactNumber } from '../../src/json/exact.js';
import {
  compareValues,
  equalValues,
  RegoObject,
  RegoSet,
  typeOf,
  type RegoValue,
} from '../../src/policy/value.js';
import { regoValue, unicode } from './values.js';

/** Of each type some, in Rego's order. */
const ORDERED: readonly RegoValue[] = [
  null,
  false,
  true,
  new ExactNumber('-1e400'),
  -1,
  0,
  0.5,
  1,
  9007199254740992,
  9007199254740993n,
  new ExactNumber('1e400'),
  '',
  'A',
  'a',
  'aa',
  'é',
  '\uffff',
  '😀',
  [],
  [null],
  [1, 2],
  [2],
  new RegoObject([]),
  new RegoObject([['a', 1]]),
  new RegoObject([
    ['a', 1],
    ['b', 1],
  ]),
  new RegoObject([['a', 2]]),
  new RegoSet([]),
  new RegoSet([1]),
  new RegoSet([1, 2]),
  new RegoSet([2]),
];

describe("Rego's order", () => {
  test('is by type, then by content', () => {
    for (const [i, a] of ORDERED.entries())
      for (const [j, b] of ORDERED.entries()) expect(Math.sign(compareValues(a, b))).toBe(Math.sign(i - j));
  });

  test('is total: it turns round, and what is between stays between', () => {
    fc.assert(
      fc.property(regoValue, regoValue, regoValue, (a, b, c) => {
        expect(Math.sign(compareValues(a, b)) + Math.sign(compareValues(b, a))).toBe(0);
        const [x, y, z] = [a, b, c].sort(compareValues) as [RegoValue, RegoValue, RegoValue];
        expect(compareValues(x, y)).toBeLessThanOrEqual(0);
        expect(compareValues(y, z)).toBeLessThanOrEqual(0);
        expect(compareValues(x, z)).toBeLessThanOrEqual(0);
      }),
    );
  });

  test('of strings is that of their UTF-8', () => {
    fc.assert(
      fc.property(unicode, unicode, (a, b) => {
        expect(Math.sign(compareValues(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }),
    );
  });

  test('takes numbers for equal that are, however they are written', () => {
    expect(equalValues(1, new ExactNumber('1.0'))).toBe(true);
    expect(equalValues(1000n, new ExactNumber('1e3'))).toBe(true);
    expect(equalValues(9007199254740992, 9007199254740993n)).toBe(false);
  });
});

describe('a set', () => {
  test('holds each element once, in order', () => {
    const set = new RegoSet([3, 1, 2, 1, new ExactNumber('1.0'), 'a']);
    expect([...set].slice(1)).toEqual([2, 3, 'a']);
    expect(set.size).toBe(4);
    expect(set.has(1n)).toBe(true);
    expect(set.has('b')).toBe(false);
    expect(new RegoSet([null]).has(null)).toBe(true);
  });

  test('is the same whatever order its elements came in', () => {
    fc.assert(
      fc.property(fc.array(regoValue), (elements) => {
        const set = new RegoSet(elements);
        expect(equalValues(set, new RegoSet([...elements].reverse()))).toBe(true);
        for (const element of elements) expect(set.has(element)).toBe(true);
      }),
    );
  });
});

describe('an object', () => {
  test('takes any key, and the later of two entries', () => {
    const object = new RegoObject([
      [new RegoSet([1, 2]), 'first'],
      ['k', 1],
      [new RegoSet([2, 1]), 'second'],
    ]);
    expect(object.size).toBe(2);
    expect(object.get(new RegoSet([1, 2]))).toBe('second');
    expect(object.keys()[0]).toBe('k');
    expect(object.get('none')).toBeUndefined();
    expect(new RegoObject([['k', false]]).has('k')).toBe(true);
  });

  test('finds every key that it was given', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(regoValue, regoValue)), (entries) => {
        const object = new RegoObject(entries);
        for (const [key] of entries) {
          const last = entries.findLast(([other]) => equalValues(other, key))![1];
          expect(equalValues(object.get(key)!, last)).toBe(true);
        }
      }),
    );
  });
});

test('each type has the name that type_name gives it', () => {
  expect(ORDERED.map(typeOf).filter((name, i, all) => name !== all[i - 1])).toEqual([
    'null',
    'boolean',
    'number',
    'string',
    'array',
    'object',
    'set',
  ]);
});
