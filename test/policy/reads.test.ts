import fc from 'fast-check';
import { isRefusal } from '../../src/errors/refusal.js';
import { loadPolicy } from '../../src/policy/evaluator.js';
import { pruner, readReads, type EntrypointReads } from '../../src/policy/reads.js';
import type { Policy } from '../../src/policy/types.js';
import { compile, DECISION } from '../support/rego.js';

const whole = (input: unknown) => input;
const cut = (paths: string[][]) => pruner(paths) ?? whole;

describe('an input is cut down', () => {
  const input = { a: { b: 1, c: { d: 2 } }, list: [{ x: 1 }], text: 'x', none: null };

  test.each<[string[][], unknown]>([
    [[], {}],
    [[['a']], { a: input.a }],
    [[['a', 'b']], { a: { b: 1 } }],
    [
      [
        ['a', 'c', 'd'],
        ['a', 'b'],
      ],
      { a: { c: { d: 2 }, b: 1 } },
    ],
    [[['a'], ['a', 'b']], { a: input.a }],
    [[['missing', 'b']], {}],
    [[['a', 'missing']], { a: {} }],
    [[['list', 'x']], { list: input.list }],
    [[['text', 'x']], { text: 'x' }],
    [[['none', 'x']], { none: null }],
    [[['constructor']], {}],
    [[[]], input],
  ])('to %j', (paths, expected) => {
    expect(cut(paths)(input)).toEqual(expected);
  });

  test('to no more where a member is called __proto__', () => {
    const odd = JSON.parse('{"__proto__": {"b": 1, "c": 2}}') as object;
    expect(JSON.stringify(cut([['__proto__', 'b']])(odd))).toBe('{"__proto__":{"b":1}}');
  });

  test('and what is below a path that is read is there, whatever the input', () => {
    const name = fc.constantFrom('a', 'b', 'c');
    fc.assert(
      fc.property(
        fc.jsonValue(),
        fc.array(fc.array(name, { maxLength: 3 }), { maxLength: 3 }),
        (json, paths) => {
          for (const path of paths) expect(at(cut(paths)(json), path)).toEqual(at(json, path));
        },
      ),
    );
  });
});

function at(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (inner, name) =>
      typeof inner === 'object' && inner !== null && !Array.isArray(inner) && Object.hasOwn(inner, name)
        ? (inner as { [name: string]: unknown })[name]
        : undefined,
    value,
  );
}

test('what a manifest says of reads in another form says nothing', () => {
  const reads = (value: unknown) => readReads({ countersign: { reads: value } } as never);
  expect(reads({ 'a/b': { input: [['x']], pure: true } }).get('a/b')).toEqual({ input: [['x']], pure: true });
  for (const odd of [
    null,
    [],
    'x',
    { 'a/b': null },
    { 'a/b': { input: [[1]], pure: true } },
    { 'a/b': { input: [] } },
  ])
    expect(reads(odd).size).toBe(0);
  expect(readReads(undefined).size).toBe(0);
});

describe('a policy whose reads are known', () => {
  async function policy(rules: string, reads: EntrypointReads, reuse = true): Promise<Policy> {
    const bundle = { ...(await compile(rules)), reads: new Map([[DECISION, reads]]) };
    const loaded = await loadPolicy({ bundle, entrypoints: [DECISION], reuse });
    if (isRefusal(loaded)) throw new Error(loaded.detail);
    return loaded;
  }

  const rules = 'decision := {"allowed": input.a == 1, "reason": sprintf("%v", [input])}';
  const reads = { input: [['a']], pure: true };

  test('is given those alone, and asked once where they are the same', async () => {
    const { evaluate } = await policy(rules, reads);
    const first = evaluate(DECISION, { a: 1, id: 'x' }, 0);
    expect(first).toMatchObject({ allowed: true, reason: '{"a": 1}' });
    expect(evaluate(DECISION, { id: 'y', a: 1 }, 0)).toBe(first);
    expect(evaluate(DECISION, { a: 2 }, 0)).toMatchObject({ allowed: false });
  });

  test('is asked each time where time or chance may have a part in it', async () => {
    const { evaluate } = await policy('decision if time.now_ns() > 5000000', { input: [], pure: false });
    expect(evaluate(DECISION, {}, 5)).toMatchObject({ code: 'policy_undefined' });
    expect(evaluate(DECISION, {}, 6)).toMatchObject({ allowed: true });
  });

  test('is asked each time, with all that there is, where nothing is to be reused', async () => {
    const { evaluate } = await policy(rules, reads, false);
    const first = evaluate(DECISION, { a: 1, id: 'x' }, 0);
    expect(first).toMatchObject({ reason: '{"a": 1, "id": "x"}' });
    expect(evaluate(DECISION, { a: 1, id: 'x' }, 0)).not.toBe(first);
  });

  test('is not remembered for results that would fill the memory', async () => {
    const { evaluate } = await policy(
      'decision := {"allowed": true, "reason": concat("", [x | some _ in numbers.range(1, input.a); x := "x"])}',
      reads,
    );
    const again = (length: number) => {
      const first = evaluate(DECISION, { a: length }, 0);
      return evaluate(DECISION, { a: length }, 0) === first;
    };
    expect(again(10)).toBe(true);
    expect(again(20_000)).toBe(false);
  });

  test('tells numbers apart that a double does not', async () => {
    const { evaluate } = await policy(
      'decision := {"allowed": true, "reason": sprintf("%d", [input.a])}',
      reads,
    );
    expect(evaluate(DECISION, { a: 9007199254740992n }, 0)).toMatchObject({ reason: '9007199254740992' });
    expect(evaluate(DECISION, { a: 9007199254740993n }, 0)).toMatchObject({ reason: '9007199254740993' });
  });
});
