import { parseUrlencoded } from '../../src/envoy/urlencoded.js';

test.each<[string, unknown]>([
  ['', {}],
  ['&&', {}],
  ['a=1&b=2&a=3', { a: ['1', '3'], b: ['2'] }],
  ['a', { a: [''] }],
  ['=1', { '': ['1'] }],
  ['a=b=c', { a: ['b=c'] }],
  ['a+b=c%20d', { 'a b': ['c d'] }],
  ['a=1&', { a: ['1'] }],
  ['__proto__=1', JSON.parse('{"__proto__": ["1"]}')],
  ['a=%zz', undefined],
  ['a=1;b=2', undefined],
])('%s is read as %j', (text, expected) => {
  expect(parseUrlencoded(text)).toEqual(expected);
});

test('10,000 parameters are read, and one more is too many', () => {
  expect(Object.keys(parseUrlencoded('a=1&'.repeat(10_000))!)).toEqual(['a']);
  expect(parseUrlencoded('a=1&'.repeat(10_001))).toBeUndefined();
});
