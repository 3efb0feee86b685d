import fc from 'fast-check';
import { LimitError } from '../../../src/policy/builtins/limit.js';
import { parseValue } from '../../../src/policy/text.js';
import type { RegoValue } from '../../../src/policy/value.js';
import { call, callText } from './call.js';

describe('json.patch', () => {
  test.each([
    ['{"a": 1}', '[{"op": "add", "path": "/b", "value": 2}]', '{"a": 1, "b": 2}'],
    ['[1, 3]', '[{"op": "add", "path": "/1", "value": 2}]', '[1, 2, 3]'],
    ['[1]', '[{"op": "add", "path": "/-", "value": 2}]', '[1, 2]'],
    ['{"a": {"b": 1}}', '[{"op": "remove", "path": "/a/b"}]', '{"a": {}}'],
    [
      '{"a": 1}',
      '[{"op": "replace", "path": "/a", "value": {"x": 1}}, {"op": "add", "path": "/a/y", "value": 2}]',
      '{"a": {"x": 1, "y": 2}}',
    ],
    ['{"a": 1}', '[{"op": "replace", "path": "", "value": 2}]', '2'],
    ['{"a": [1, 2]}', '[{"op": "move", "from": "/a/0", "path": "/b"}]', '{"a": [2], "b": 1}'],
    ['{"a": {"b": 1}}', '[{"op": "copy", "from": "/a", "path": "/a/c"}]', '{"a": {"b": 1, "c": {"b": 1}}}'],
    [
      '{"a/b": 1, "m~n": 2}',
      '[{"op": "remove", "path": "/a~1b"}, {"op": "test", "path": "/m~0n", "value": 2.0}]',
      '{"m~n": 2}',
    ],
    ['{1: "x"}', '[{"op": "replace", "path": [1], "value": "y"}]', '{1: "y"}'],
    // An element of a set is its own key.
    ['{1, 2}', '[{"op": "remove", "path": [1]}, {"op": "add", "path": [3], "value": 3}]', '{2, 3}'],
    ['{"a": {"x", "y"}}', '[{"op": "remove", "path": "/a/x"}]', '{"a": {"y"}}'],
    ['{[1]}', '[{"op": "add", "path": [[1], 0], "value": 0}]', '{[0, 1]}'],
    ['{"a": 1}', '[]', '{"a": 1}'],
  ])('%s patched by %s', (target, patch, expected) => {
    expect(callText('json.patch', target, patch)).toBe(expected);
  });

  test.each([
    ['{}', '{"op": "remove", "path": "/a"}', 'path does not exist'],
    ['[]', '{"op": "add", "path": "/1", "value": 1}', 'out of bounds'],
    ['[1]', '{"op": "remove", "path": "/-"}', 'out of bounds'],
    ['[1]', '{"op": "remove", "path": "/00"}', 'leading zeros'],
    ['[1]', '{"op": "remove", "path": "/x"}', 'invalid string for indexing'],
    ['{"a": 1}', '{"op": "add", "path": "/a/b", "value": 1}', 'expected composite type'],
    ['{"a": 1}', '{"op": "test", "path": "/a", "value": 2}', 'value from EditTree != patch value'],
    ['{1}', '{"op": "add", "path": [2], "value": 3}', 'set key does not equal value'],
    ['{}', '{"op": "jump", "path": ""}', "unrecognized op: 'jump'"],
    ['{}', '{"op": "add", "path": "/a"}', "missing required attribute 'value'"],
    ['{}', '{"path": "/a"}', "missing required attribute 'op'"],
    ['{}', '{"op": "move", "path": "/a"}', "missing required attribute 'from'"],
    ['{}', '{"op": "add", "path": 1, "value": 1}', 'must be one of {set, array}'],
    ['{}', '1', 'at least one element is not an object'],
  ])('%s is not patched by %s', (target, operation, message) => {
    expect(() => callText('json.patch', target, `[${operation}]`)).toThrow(message);
  });

  test('leaves the document as it was', () => {
    const document = parseValue('{"a": {"b": [1]}}');
    call('json.patch', document, parseValue('[{"op": "add", "path": "/a/b/-", "value": 2}]'));
    expect(document).toEqual(parseValue('{"a": {"b": [1]}}'));
  });

  test('undoes an addition by a removal, and replaces as both do together', () => {
    const values = fc.jsonValue({ maxDepth: 2 }).map((value) => parseValue(JSON.stringify(value)));
    const name = fc.string({ minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(fc.dictionary(name, fc.nat()), name, values, (members, key, value) => {
        fc.pre(!Object.hasOwn(members, key));
        const document = parseValue(JSON.stringify(members));
        const patch = (target: RegoValue, ...steps: string[]) =>
          call(
            'json.patch',
            target,
            steps.map((op) => parseValue(`{"op": "${op}", "path": [${JSON.stringify(key)}], "value": 0}`)),
          );
        const added = patch(document, 'add')!;
        expect(patch(added, 'remove')).toEqual(document);
        expect(patch(added, 'replace')).toEqual(patch(added, 'remove', 'add'));
        expect(call('json.patch', value, [])).toEqual(value);
      }),
    );
  });

  test('ends the evaluation for a document that doubles itself', () => {
    const step = '{"op": "copy", "from": "", "path": "/a"}';
    expect(() =>
      callText('json.patch', '{"b": [1, 2, 3]}', `[${Array(400).fill(step).join(', ')}]`),
    ).not.toThrow();
    const doubling = Array.from({ length: 40 }, (_, i) => `{"op": "copy", "from": "", "path": "/${i}"}`);
    expect(() => callText('json.patch', '{"b": [1, 2, 3]}', `[${doubling.join(', ')}]`)).toThrow(LimitError);
  });

  test('takes time by what it touches', () => {
    const members = Array.from({ length: 5000 }, (_, i) => `"${i}": ${i}`);
    const patch = Array.from({ length: 5000 }, (_, i) => `{"op": "replace", "path": "/${i}", "value": 0}`);
    const began = performance.now();
    callText('json.patch', `{${members.join(', ')}}`, `[${patch.join(', ')}]`);
    expect(performance.now() - began).toBeLessThan(5000);
  });
});
