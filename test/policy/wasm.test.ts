import { BuiltinError, type Builtins } from '../../src/policy/builtins/builtin.js';
import { loadPolicy } from '../../src/policy/evaluator.js';
import { formatValue, parseValue } from '../../src/policy/text.js';
import { equalValues, RegoObject, RegoSet, type RegoValue } from '../../src/policy/value.js';
import { policyExports } from '../../src/policy/wasm/abi.js';
import { BuiltinDefect, PolicyAbort } from '../../src/policy/wasm/host.js';
import { PolicyInstance, type DataImage } from '../../src/policy/wasm/instance.js';
import { compilePolicy, type PolicyModule } from '../../src/policy/wasm/module.js';
import { compile, DECISION } from '../support/rego.js';

const NOW = { now: 0n };
const SIZE = { initial: 64, maximum: 1024 };

async function moduleOf(rules: string): Promise<PolicyModule> {
  return compilePolicy((await compile(rules)).wasm);
}

/** A policy whose host is asked for `crypto.sha256`, any one-operand built-in of which it leaves to its host. */
async function asking(host: Builtins[string], rules: string): Promise<PolicyInstance> {
  return new PolicyInstance(await moduleOf(rules), SIZE, { 'crypto.sha256': host });
}

describe('values that cross to a built-in and back', () => {
  const VALUES: readonly RegoValue[] = [
    null,
    true,
    '\\"\n\u0000\u001f\u007fé😀',
    9007199254740993n,
    -0.5,
    [],
    [1, [2]],
    new RegoSet([]),
    new RegoSet([1, 'a', new RegoSet([2])]),
    new RegoObject([]),
    new RegoObject([
      [new RegoSet([1]), [null]],
      ['k', new RegoObject([[1, 2]])],
    ]),
  ];

  test('are the same values', async () => {
    const seen: RegoValue[] = [];
    const instance = await asking((_, value) => {
      seen.push(value!);
      return value;
    }, 'decision := [y | some x in input; y := crypto.sha256(x); y == x]');
    const text = instance.evaluate(DECISION, formatValue(VALUES), NOW);
    expect(text).toContain('9007199254740993');
    expect(seen.map(formatValue)).toEqual(VALUES.map(formatValue));
    expect(formatValue(parseValue(text))).toBe(`{{"result": ${formatValue(VALUES)}}}`);
  });
});

describe('a built-in', () => {
  const RULES = 'decision := "failed" if not crypto.sha256("a")\ndecision := crypto.sha256("a")';

  test.each<[string, Builtins[string]]>([
    ['that cannot do it', () => { throw new BuiltinError('no'); }], // prettier-ignore
    ['that is undefined', () => undefined],
  ])('%s leaves its expression undefined', async (_, builtin) => {
    const instance = await asking(builtin, RULES);
    for (let round = 0; round < 3; round++)
      expect(instance.evaluate(DECISION, undefined, NOW)).toBe('{{"result": "failed"}}');
  });

  test('that has a defect ends the evaluation, and its message stays inside', async () => {
    const instance = await asking((_, value) => { throw new TypeError(`saw ${String(value)}`); }, RULES); // prettier-ignore
    const evaluation = () => instance.evaluate(DECISION, undefined, NOW);
    expect(evaluation).toThrow(BuiltinDefect);
    expect(evaluation).toThrow(/^the built-in crypto.sha256 failed: TypeError$/);
  });

  test('has one instant and one cache for an evaluation, and another for the next', async () => {
    const builtins: Builtins = {
      'crypto.sha256': ({ cache, now, random }, key) => {
        expect(random(5)).toHaveLength(5);
        const cached = cache.get(String(key)) ?? [now, cache.size];
        cache.set(String(key), cached);
        return cached;
      },
    };
    const module = await moduleOf('decision := [crypto.sha256(x) | some x in ["a", "b", "a"]]');
    const instance = new PolicyInstance(module, SIZE, builtins);
    for (const now of [7n, 9007199254740993n])
      expect(instance.evaluate(DECISION, undefined, { now })).toBe(
        `{{"result": [[${now}, 0], [${now}, 1], [${now}, 0]]}}`,
      );
  });

  test('that is called thousands of times in one evaluation takes no memory that piles up', async () => {
    const long = 'x'.repeat(1000);
    const instance = await asking(
      () => long,
      'decision := count([1 | some x in input; crypto.sha256(x) != ""])',
    );
    const input = JSON.stringify(Array.from({ length: 20_000 }, (_, i) => `${i}`));
    expect(instance.evaluate(DECISION, input, NOW)).toBe('{{"result": 20000}}');
    const { size } = instance;
    for (let round = 0; round < 5; round++) instance.evaluate(DECISION, input, NOW);
    expect(instance.size).toBe(size);
  });
});

describe('data', () => {
  const RULES = 'decision := count(data.list) + data.list[0]';
  const listOf = (length: number, first: number) =>
    JSON.stringify({ list: Array.from({ length }, (_, i) => (i === 0 ? first : i)) });

  function imageOf(module: PolicyModule, size: typeof SIZE, json: string): DataImage {
    const instance = new PolicyInstance(module, size);
    instance.parse(json);
    return instance.image();
  }

  test('is laid out once and taken by any instance of the module, part by part', async () => {
    const module = await moduleOf(RULES);
    const image = imageOf(module, SIZE, listOf(50_000, 7));
    const sent = structuredClone(image);
    const other = new PolicyInstance(module, SIZE);
    let parts = 0;
    for (const _ of other.load(sent, 64 * 1024)) parts++;
    expect(parts).toBe(Math.ceil(image.bytes.length / (64 * 1024)));
    expect(other.evaluate(DECISION, undefined, NOW)).toBe('{{"result": 50007}}');
  });

  test('of another module is refused', async () => {
    const image = imageOf(await moduleOf('decision := data.list'), SIZE, '{}');
    const instance = new PolicyInstance(await moduleOf(RULES), SIZE);
    expect(() => instance.load(image).next()).toThrow('made for another policy');
  });

  test('trap 92: changes a thousand times, and memory stays flat', async () => {
    const module = await moduleOf(RULES);
    const maker = new PolicyInstance(module, SIZE);
    const server = new PolicyInstance(module, SIZE);
    let sizes: number[] = [];
    for (let change = 0; change < 1000; change++) {
      const length = change % 2 === 0 ? 2000 : 20;
      maker.parse(listOf(length, change));
      for (const _ of server.load(maker.image()));
      for (let i = 0; i < 3; i++)
        expect(server.evaluate(DECISION, '{"a": [1, 2]}', NOW)).toBe(`{{"result": ${length + change}}}`);
      if (change === 2) sizes = [maker.size, server.size];
    }
    expect([maker.size, server.size]).toEqual(sizes);
  });

  test('that is larger than the memory had been foreseen for still fits, up to the maximum', async () => {
    const module = await moduleOf(RULES);
    const image = imageOf(module, { initial: 32, maximum: 1024 }, listOf(200_000, 1));
    const small = new PolicyInstance(module, { initial: 32, maximum: 1024 });
    for (const _ of small.load(image));
    expect(small.evaluate(DECISION, '[1]', NOW)).toBe('{{"result": 200001}}');
    const tooSmall = new PolicyInstance(module, { initial: 32, maximum: 40 });
    expect(() => tooSmall.load(image).next()).toThrow(PolicyAbort);
    expect(() => new PolicyInstance(module, { initial: 32, maximum: 40 }).parse(listOf(200_000, 1))).toThrow(
      PolicyAbort,
    );
  });

  test('that is no object is data all the same, and what is no JSON is none', async () => {
    const instance = new PolicyInstance(await moduleOf('decision := data.x'), SIZE);
    instance.parse('{"x": 9007199254740993}');
    expect(instance.evaluate(DECISION, undefined, NOW)).toBe('{{"result": 9007199254740993}}');
    expect(() => instance.parse('nonsense')).toThrow(SyntaxError);
  });
});

describe('an instance that failed', () => {
  const RULES =
    'decision := crypto.sha256("a") if input.fail == "host"\n' +
    'decision := [x | some x in input.list] if input.fail == "memory"\n' +
    'decision := [count(data.list), data.list[0], input.ok] if not input.fail';
  const data = JSON.stringify({ list: [7, ...Array.from({ length: 5000 }, (_, i) => `item ${i}`)] });

  test('is revived in place: its data is the same to the byte, and it answers as before', async () => {
    const module = await moduleOf(RULES);
    const host: Builtins[string] = () => {
      throw new TypeError('a defect');
    };
    const instance = new PolicyInstance(module, { initial: 64, maximum: 96 }, { 'crypto.sha256': host });
    instance.parse(data);
    const before = Buffer.from(instance.image().bytes);
    const list = JSON.stringify(Array.from({ length: 200_000 }, (_, i) => i));
    const deep = `{"ok": ${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
    for (let round = 0; round < 10; round++)
      for (const input of ['{"fail": "host"}', `{"fail": "memory", "list": ${list}}`, deep]) {
        expect(() => instance.evaluate(DECISION, input, NOW)).toThrow();
        instance.revive();
        expect(Buffer.compare(instance.image().bytes, before)).toBe(0);
        expect(instance.evaluate(DECISION, `{"ok": ${round}}`, NOW)).toBe(
          `{{"result": [5001, 7, ${round}]}}`,
        );
      }
    expect(instance.size).toBeLessThanOrEqual(96 * 65_536);
  });
});

describe('an evaluation', () => {
  test('without input is not one with an input of null', async () => {
    const instance = new PolicyInstance(await moduleOf('decision := is_null(input)'), SIZE);
    expect(instance.evaluate(DECISION, 'null', NOW)).toBe('{{"result": true}}');
    expect(instance.evaluate(DECISION, undefined, NOW)).toBe('set()');
  });

  test('that comes to two values for one rule says where', async () => {
    const instance = new PolicyInstance(await moduleOf('decision := input.a\n\ndecision := input.b'), SIZE);
    expect(() => instance.evaluate(DECISION, '{"a": 1, "b": 2}', NOW)).toThrow(
      /^test\.rego:5:1: var assignment conflict$/,
    );
  });

  test('of an entrypoint that is not there fails', async () => {
    const instance = new PolicyInstance(await moduleOf('decision := 1'), SIZE);
    expect([...instance.entrypoints.keys()]).toEqual([DECISION]);
    expect(() => instance.evaluate('constructor', '{}', NOW)).toThrow('no entrypoint constructor');
  });
});

describe('a module', () => {
  /** A module that exports nothing but 32-bit constants. */
  function exporting(constants: { readonly [name: string]: number }): Uint8Array {
    const section = (id: number, items: number[][]) => {
      const body = [items.length, ...items.flat()];
      return [id, body.length, ...body];
    };
    const names = Object.entries(constants);
    return Uint8Array.from([
      ...Buffer.from('\0asm\x01\0\0\0', 'latin1'),
      ...section(6, names.map(([, value]) => [0x7f, 0, 0x41, value, 0x0b])), // prettier-ignore
      ...section(7, names.map(([name], i) => [name.length, ...Buffer.from(name), 3, i])), // prettier-ignore
    ]);
  }

  test.each([
    [1, 1],
    [1, 4],
    [2, 3],
    [0, 2],
  ])('of version %i.%i of the ABI is refused by that name', async (major, minor) => {
    const wasm = exporting({ opa_wasm_abi_version: major, opa_wasm_abi_minor_version: minor });
    const bundle = { revision: 'r', wasm: Buffer.from(wasm), data: {} };
    const outcome = await loadPolicy({ bundle, entrypoints: [] });
    expect(outcome).toMatchObject({ code: 'policy_unavailable' });
    expect((outcome as { detail: string }).detail).toContain(`version ${major}.${minor} of OPA's Wasm ABI`);
  });

  test('that says no version, or lacks a function, is none of a policy', () => {
    expect(() => policyExports({})).toThrow('no policy that OPA compiled');
    const versions = { opa_wasm_abi_version: { value: 1 }, opa_wasm_abi_minor_version: { value: 2 } };
    expect(() => policyExports({ ...versions, opa_eval: () => 0 })).toThrow(
      /does not export builtins, entrypoints/,
    );
  });
});

test('values of Rego that are equal stay so over the boundary', async () => {
  const instance = await asking((_, value) => value, 'decision := crypto.sha256(input) == input');
  for (const text of ['{1, 1.0, {2: 3}}', '{1e2: 100}', '[{[set()]}]'])
    expect(instance.evaluate(DECISION, text, NOW)).toBe('{{"result": true}}');
  expect(equalValues(new RegoSet([1]), [1])).toBe(false);
});
