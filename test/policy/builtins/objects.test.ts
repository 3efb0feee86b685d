import { LimitError } from '../../../src/policy/builtins/limit.js';
import { RegoObject } from '../../../src/policy/value.js';
import { call, callText } from './call.js';

describe('object.subset', () => {
  test.each([
    ['{"a": 1, "b": {"c": [1, 2, 3]}}', '{"b": {"c": [2, 3]}}', 'true'],
    ['{"a": 1}', '{"a": 2}', 'false'],
    ['{"a": {"b": {1, 2}}}', '{"a": {"b": {2}}}', 'true'],
    ['{"a": 1}', '{"a": {}}', 'false'],
    ['{1, 2, 3}', '{1, 3}', 'true'],
    ['{{"a": 1, "b": 2}}', '{{"a": 1}}', 'false'],
    ['[1, 2, 2, 3]', '[2, 3]', 'true'],
    ['[1, 2, 3]', '[1, 3]', 'false'],
    ['[1, 2]', '[]', 'true'],
    ['[1, 2, 3]', '{3, 1}', 'true'],
    ['[1, 2, 3]', '{4}', 'false'],
    // OPA counts what it finds, twice where it is there twice.
    ['[1, 1]', '{1, 2}', 'true'],
    ['[]', 'set()', 'false'],
  ])('of %s: %s is %s', (whole, part, expected) => {
    expect(callText('object.subset', whole, part)).toBe(expected);
  });

  test('wants two of a kind', () => {
    expect(() => callText('object.subset', '{1}', '[1]')).toThrow(
      'must be of the same type or array and set',
    );
  });

  test('takes time in proportion, however much an array repeats itself', () => {
    const began = performance.now();
    expect(call('object.subset', Array<number>(20_000).fill(1), [...Array<number>(10_000).fill(1), 2])).toBe(
      false,
    );
    expect(performance.now() - began).toBeLessThan(2000);
  });
});

describe('graph.reachable_paths', () => {
  const GRAPH = '{"a": {"b"}, "b": {"c"}, "c": {"a"}}';

  test.each([
    [GRAPH, '{"a"}', '{["a", "b", "c"]}'],
    ['{"a": ["b", "c"], "b": [], "c": ["x"]}', '["a"]', '{["a", "b"], ["a", "c"]}'],
    ['{"a": []}', '["a", "z"]', '{["a"]}'],
    ['{"a": null}', '["a"]', '{["a"]}'],
    ['{}', '["a"]', 'set()'],
  ])('of %s from %s', (graph, initial, expected) => {
    expect(callText('graph.reachable_paths', graph, initial)).toBe(expected);
  });

  test('wants an object, and an array or a set', () => {
    expect(() => call('graph.reachable_paths', [], [])).toThrow('operand 1 must be object but got array');
    expect(() => callText('graph.reachable_paths', '{}', '"a"')).toThrow(
      'operand 2 must be one of {array, set}',
    );
  });

  test('ends the evaluation for a graph of too many paths', () => {
    const layers = Array.from({ length: 40 }, (_, i): [string, string[]][] => [
      [`a${i}`, [`a${i + 1}`, `b${i + 1}`]],
      [`b${i}`, [`a${i + 1}`, `b${i + 1}`]],
    ]);
    expect(() => call('graph.reachable_paths', new RegoObject(layers.flat()), ['a0'])).toThrow(LimitError);
  });
});
