import { isRefusal } from '../../src/errors/refusal.js';
import { HOST_BUILTINS } from '../../src/policy/builtins/index.js';
import { formatValue, parseValue } from '../../src/policy/text.js';
import { PolicyInstance } from '../../src/policy/wasm/instance.js';
import { compilePolicy } from '../../src/policy/wasm/module.js';
import { compileRego } from '../../src/rego/compiler.js';
import { Random } from '../support/random.js';
import { unpack } from './unpack.js';

const DATA = JSON.stringify({ d: { x: 'x', y: 1 }, xs: ['x', 1, true] });
const NEVER = 1_000_000;

/** Evaluates one entrypoint of these modules; what is undefined is `set()`, and errors are told apart. */
async function evaluator(modules: readonly string[], entrypoint: string, hoistFrom: number) {
  const sources = modules.map((content, n) => ({ path: `${n}.rego`, content }));
  const compiled = await compileRego(sources, { entrypoints: [entrypoint], hoistFrom });
  if (isRefusal(compiled)) throw new Error(`${compiled.detail}\n${modules.join('\n')}`);
  const files = await unpack(compiled.bundle);
  const module = await compilePolicy(files.get('/policy.wasm')!);
  let instance: PolicyInstance | undefined;
  return {
    files,
    wasm: files.get('/policy.wasm')!,
    evaluate(input: string): string {
      if (instance === undefined) {
        instance = new PolicyInstance(module, { initial: 64, maximum: 4096 }, HOST_BUILTINS);
        instance.parse(DATA);
      }
      try {
        return formatValue(parseValue(instance.evaluate(entrypoint, input, { now: 0n })));
      } catch (error) {
        instance = undefined;
        return `error: ${(error as Error).message.replace(/\d+\.rego:\d+:\d+/g, 'somewhere')}`;
      }
    },
  };
}

const PARTS = ['a', 'a.b', 'a.b.c', 'b', 'xs', 'a.xs', '["x-y"]', '["x-y"].b', 'a[0]', 'xs[1].b'];
const CONSTANTS = ['"x"', '"y"', '1', 'true', 'false', 'null', '{}', '["x", 1]'];

/** An expression of a clause: all ways that there are to name a part of the input, and those that only look like one. */
function expression(random: Random, id: number): string {
  const part = () => {
    const name = random.of(PARTS);
    return name.startsWith('[') ? `input${name}` : `input.${name}`;
  };
  const [p, q, c, v] = [part(), part(), random.of(CONSTANTS), `v${id}`];
  return random.of([
    `${p} == ${c}`,
    `${p} != ${c}`,
    `${p} == ${q}`,
    p,
    `not ${p}`,
    `not ${p} == ${q}`,
    `startswith(${p}, "x")`,
    `${c} in ${p}`,
    `${p} in data.xs`,
    `some ${v} in ${p}; ${v} == ${q}`,
    `some ${v}; ${p}[${v}] == ${c}`,
    `${p}[_] == ${q}`,
    `${p}[${q}] == ${c}`,
    `data.d[${p}] == ${c}`,
    `every x in ${p} { x != ${q} }`,
    `count([x | x := ${p}[_]; x != ${q}]) > 0`,
    `count({x | some x in [1, 2]; ${p} == ${c}}) > 0`,
    `${v} := ${p}; ${v} == ${c}`,
    `[${v}, _] = ${p}; ${v} == ${c}`,
    `${p} = ${v}; is_string(${v})`,
    `[${p}, 1] == [${c}, 1]`,
    `{"k": ${p}}.k == ${c}`,
    `${p} == ${c} with input as {"a": {"b": "x"}, "b": 1}`,
    `helper(${p})`,
    `helper(helper_of(${p}))`,
    `other with input.a as ${c}`,
    `object.get(input, "a", 1) == 1`,
    `object.get(${p}, "b", 1) == ${c}`,
    `walk(${p}, [["b"], ${v}]); ${v} == ${c}`,
    `startswith($"{${p}}x", "x")`,
    `print(${p})`,
    `al == ${c}`,
    `al.b == ${c}`,
    `al[_] == ${c}`,
    `count({al | al := ${p}}) == 1`,
    `count({x | x := al.b}) == 1`,
    `xs[_] == ${c}`,
    `(${p} + 1) == 2`,
    `${p} > ${q}`,
  ]);
}

function policy(random: Random): string {
  const value = () => random.of(['', '', ' := true', ' := "v"', ' := false', ' := 1']);
  const rules = Array.from({ length: 24 }, (_, n) => {
    const constant = value();
    const clause = () => {
      const lines = random.some(1, 4, (id) => expression(random, id));
      const body = random.once(8)
        ? ['al := "x"; al == input.b', ...lines.filter((line) => !/\bal\b/.test(line))]
        : lines;
      // Here and there one that is none of the others.
      const own = random.once(40) ? value() : constant;
      const after = random.once(10) ? ` else := "e" if {\n\t${expression(random, 9)}\n}` : '';
      return `r${n}${own} if {\n${body.map((line) => `\t${line}\n`).join('')}}${after}\n`;
    };
    const standing = random.once(3) ? `default r${n} := "d"\n\n` : '';
    return standing + random.some(1, 8, clause).join('\n');
  });
  return `package test

import input.a as al
import input.xs

helper(x) if x == "x"

helper(x) if input.b == x

helper_of(x) := y if y := x.b

other if input.a == "x"

other if input.a.b == input.b

${rules.join('\n')}

${rules.map((_, n) => `all.r${n} := r${n}`).join('\n\n')}
`;
}

function value(random: Random, depth: number): unknown {
  const leaf = () => random.of<unknown>(['x', 'xx', 'y', '', 0, 1, true, false, null, 'b']);
  if (depth === 0 || random.once(3)) return leaf();
  if (random.once(3)) return random.some(0, 3, () => value(random, depth - 1));
  const names = ['a', 'b', 'c', 'xs', 'x-y'].filter(() => random.once(2));
  return Object.fromEntries(names.map((name) => [name, value(random, depth - 1)]));
}

describe('a rule that looks up what it needs of the input once', () => {
  const seed = Number(process.env.HOIST_SEED ?? 1);
  test.each([1, 2, 3, 4, 5, 6])(
    'answers as it does clause by clause, whatever its clauses are (%d)',
    async (run) => {
      const random = new Random(seed * 1000 + run);
      const modules = [policy(random)];
      const hoisted = await evaluator(modules, 'test/all', 1);
      const plain = await evaluator(modules, 'test/all', NEVER);
      expect(hoisted.wasm).not.toEqual(plain.wasm);
      const answers = new Set<string>();
      for (let n = 0; n < 300; n++) {
        // An object, as ours is: with another one OPA's `with input.a as` reads beside its memory.
        const names = ['a', 'b', 'xs', 'x-y'].filter(() => !random.once(4));
        const input = JSON.stringify(Object.fromEntries(names.map((name) => [name, value(random, 3)])));
        const [one, other] = [hoisted.evaluate(input), plain.evaluate(input)];
        answers.add(other);
        if (one === other) continue;
        throw new Error(
          `HOIST_SEED=${seed} ${input}\nhoisted ${one}\nplain   ${other}\n${modules.join('\n')}`,
        );
      }
      expect(answers.size).toBeGreaterThan(20);
    },
    60_000,
  );

  const clauses = (count: number, more = '') =>
    Array.from({ length: count }, (_, n) => `allow if {\n\tinput.a.b == "${n}"\n${more}}\n`).join('\n');

  test('is one of many clauses, unless asked for otherwise', async () => {
    const wasmOf = async (rules: string, hoistFrom?: number) => {
      const compiled = await compileRego([{ path: '0.rego', content: `package test\n\n${rules}` }], {
        entrypoints: ['test/allow'],
        ...(hoistFrom !== undefined && { hoistFrom }),
      });
      if (isRefusal(compiled)) throw new Error(compiled.detail);
      return (await unpack(compiled.bundle)).get('/policy.wasm');
    };
    expect(await wasmOf(clauses(7))).toEqual(await wasmOf(clauses(7), NEVER));
    expect(await wasmOf(clauses(8))).not.toEqual(await wasmOf(clauses(8), NEVER));
  });

  test('leaves the rest of the bundle as it is', async () => {
    const modules = [`package test\n\nimport data.other\n\n${clauses(10)}\nnamed := {"allow": allow}\n`];
    const hoisted = await evaluator(modules, 'test/named', 1);
    const plain = await evaluator(modules, 'test/named', NEVER);
    expect(hoisted.wasm).not.toEqual(plain.wasm);
    hoisted.files.delete('/policy.wasm');
    plain.files.delete('/policy.wasm');
    expect(hoisted.files).toEqual(plain.files);
    expect(hoisted.evaluate('{"a": {"b": "3"}}')).toBe('{{"result": {"allow": true}}}');
  });

  test.each([
    ['an entrypoint', 'test', ''],
    ['looked through', 'other/names', 'names contains name if some name, _ in data.test'],
    [
      'looked through under another name',
      'other/names',
      'import data.test as t\n\nnames contains name if t[name]',
    ],
    ['inside of one that is', 'other/names', 'names contains name if some name, _ in data.outer'],
    ['replaced', 'other/names', 'names if data.test.allow with data.test as {"allow": true}'],
  ])('stays as it is in a package that is %s', async (_, entrypoint, rules) => {
    const own = rules.includes('outer') ? 'outer.inner' : 'test';
    const modules = [`package ${own}\n\n${clauses(10)}`, `package other\n\n${rules}\n`];
    const hoisted = await evaluator(modules, entrypoint, 1);
    const plain = await evaluator(modules, entrypoint, NEVER);
    const input = '{"a": {"b": "3"}}';
    expect(hoisted.evaluate(input)).toBe(plain.evaluate(input));
    expect(hoisted.wasm).toEqual(plain.wasm);
  });

  test('leaves clauses as they are that OPA takes as such alone', async () => {
    // A parameter that is compared with a text is one, and nothing is added to a text.
    const odd = 'allow if {\n\tinput.a.b == "x"\n\tinput.a.b + 1 == 2\n}\n';
    const modules = [`package test\n\n${clauses(10)}\n${odd}`];
    const hoisted = await evaluator(modules, 'test/allow', 1);
    expect(hoisted.wasm).not.toEqual((await evaluator(modules, 'test/allow', NEVER)).wasm);
    expect(hoisted.evaluate('{"a": {"b": "3"}}')).toBe('{{"result": true}}');
    expect(hoisted.evaluate('{"a": {"b": "x"}}')).toBe('set()');
  });

  test('conflicts with itself as before', async () => {
    const modules = [`package test\n\n${clauses(9)}\nallow := "no" if startswith(input.a.b, "5")\n`];
    for (const hoistFrom of [1, NEVER]) {
      const { evaluate } = await evaluator(modules, 'test/allow', hoistFrom);
      expect(evaluate('{"a": {"b": "4"}}')).toBe('{{"result": true}}');
      expect(evaluate('{"a": {"b": "51"}}')).toBe('{{"result": "no"}}');
      expect(evaluate('{"a": {"b": "5"}}')).toMatch(/^error: .*conflict/);
    }
  });

  test('of which something depends on the entrypoint is compiled all the same', async () => {
    const modules = [`package test\n\nbase if input.a.b\n\n${clauses(9, '\tbase\n')}\nlater if allow\n`];
    const { evaluate } = await evaluator(modules, 'test/base', 1);
    expect(evaluate('{"a": {"b": "4"}}')).toBe('{{"result": true}}');
  });
});
