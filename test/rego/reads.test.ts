import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { isRefusal } from '../../src/errors/refusal.js';
import { parseExact } from '../../src/json/exact.js';
import { readBundle } from '../../src/policy/bundle.js';
import { loadPolicy } from '../../src/policy/evaluator.js';
import type { Policy } from '../../src/policy/types.js';
import { compileRego } from '../../src/rego/compiler.js';
import type { RegoSource } from '../../src/rego/source.js';
import { json, unpack } from './unpack.js';

interface Reads {
  readonly input: readonly (readonly string[])[];
  readonly pure: boolean;
}

async function bundleOf(modules: readonly string[], entrypoints: readonly string[]): Promise<Uint8Array> {
  const sources = modules.map((content, index): RegoSource => ({ path: `${index}.rego`, content }));
  const compiled = await compileRego(sources, { entrypoints });
  if (isRefusal(compiled)) throw new Error(compiled.detail);
  return compiled.bundle;
}

async function manifestReads(bundle: Uint8Array): Promise<{ readonly [entrypoint: string]: Reads }> {
  const manifest = json(await unpack(bundle), '/.manifest') as {
    metadata: { countersign: { reads: { [entrypoint: string]: Reads } } };
  };
  return manifest.metadata.countersign.reads;
}

/** One bundle of many policies, since compiling takes a second whatever the size; each is a package of its own. */
async function bundleOfAll(policies: readonly string[]): Promise<Uint8Array> {
  return bundleOf(
    policies.map((rules, index) => `package app${index}\n\n${rules}\n`),
    policies.map((_, index) => entrypointOf(index)),
  );
}

const entrypointOf = (index: number) => `app${index}/decision`;

/** What `app/decision` reads, of a policy whose first module is in the package `app`. */
async function readsOf(app: string, ...others: string[]): Promise<Reads> {
  const bundle = await bundleOf([`package app\n\n${app}\n`, ...others], ['app/decision']);
  return (await manifestReads(bundle))['app/decision']!;
}

/** The paths that are read, with dots; the whole input is the empty text. */
const dotted = (reads: Reads) => reads.input.map((path) => path.join('.')).toSorted();

/** What is read, a policy that reads it, and the paths. */
const RULES: readonly (readonly [what: string, rules: string, paths: readonly string[]])[] = [
  ['nothing', 'decision := true', []],
  ['paths that are written out', 'decision if input.a.b == input["c"].d', ['a.b', 'c.d']],
  ['the part before a variable', 'decision if { some x; input.a.b[x].c == 1 }', ['a.b']],
  ['the part before another reference', 'decision if input.a[input.b.c].d', ['a', 'b.c']],
  ['the part before a number', 'decision if input.a[0].b == 1', ['a']],
  ['the part before a call', 'decision if input.a[lower(input.b)] == 1', ['a', 'b']],
  ['the whole, where it stands alone', 'decision if count(input) > 0', ['']],
  ['the whole, where its keys are variables', 'decision if { some k; input[k] == input.a }', ['']],
  ['the whole, bound to a name', 'decision if { x := input; x.a == 1 }', ['']],
  ['a name that has a dot, as one name', 'decision if input["a.b"].c', ['a.b.c']],
  [
    'one path of those that lead to another',
    'decision if { input.a.b.c; input.a; input.a.d; input.ab }',
    ['a', 'ab'],
  ],
  [
    'what arrays, objects and sets are made of',
    'decision := {"a": [input.a], input.b: {input.c}}',
    ['a', 'b', 'c'],
  ],
  ['what is indexed where it is made', 'decision := [input.a, 1][input.b]', ['a', 'b']],
  ['comprehensions', 'decision := {k: v | some k in input.ks; v := [x | x := input.vs[_]]}', ['ks', 'vs']],
  ['every', 'decision if every x in input.xs { x == input.y }', ['xs', 'y']],
  ['not', 'decision if not input.a.b', ['a.b']],
  ['the keys of a rule', 'decision := p[input.a]\n\np[input.b] := 1', ['a', 'b']],
  [
    'else',
    'decision := 1 if { input.a } else := input.b if { input.c } else := q\n\nq := input.d',
    ['a', 'b', 'c', 'd'],
  ],
  ['default beside a rule', 'default decision := false\n\ndecision if input.a', ['a']],
  ['string interpolation', 'decision := $"{input.a} and {input.b.c}"', ['a', 'b.c']],
  ['import', 'import input.a as b\n\ndecision if b.c == 1', ['a.c']],
  ['with input as', 'decision if p with input as {"a": input.b}\n\np if input.a.c', ['']],
  ['with input.a as', 'decision if p with input.a as input.b.c\n\np if input.a.d', ['a', 'b.c']],
  ['with data as', 'decision if p with data.x as input.b\n\np if data.x.y', ['b']],
  ['with a function for another', 'decision if p(1) with p as q\n\np(_) if false\n\nq(_) if input.a', ['a']],
  ['with a function for a built-in', 'decision if count([]) == 1 with count as q\n\nq(_) := input.a', ['a']],
];

describe('what an entrypoint reads of the input', () => {
  let reads: { readonly [entrypoint: string]: Reads };
  beforeAll(async () => {
    reads = await manifestReads(await bundleOfAll(RULES.map(([, rule]) => rule)));
  });

  test.each(RULES.map(([what, , paths], index) => [what, index, paths] as const))(
    '%s',
    (_what, index, paths) => {
      expect(dotted(reads[entrypointOf(index)]!)).toEqual(paths.toSorted());
    },
  );

  test('follows helpers and functions into other packages, and theirs', async () => {
    const reads = await readsOf(
      'import data.lib\n\ndecision if lib.f(input.a)',
      'package lib\n\nf(x) if { x == input.b; data.deep.down.rule }',
      'package deep.down\n\nrule if { input.c.d } else if { other }\n\nother if input.e',
    );
    expect(dotted(reads)).toEqual(['a', 'b', 'c.d', 'e']);
  });

  test.each([
    ['a rule', 'decision if data.lib[input.a]', ['a', 'b', 'c.d']],
    ['a package', 'decision if { some x; data[x].two }', ['c.d']],
    ['the whole of a package', 'decision if count(data.lib) > 1', ['b', 'c.d']],
  ])('follows what picks %s to all that it can be', async (_what, rule, paths) => {
    expect(dotted(await readsOf(rule, 'package lib\n\none if input.b\n\ntwo if input.c.d'))).toEqual(paths);
  });

  test('leaves out a rule that the entrypoint does not come to', async () => {
    const app = 'decision if input.a\n\nunused if { input.b; time.now_ns() > 0 }';
    expect(await readsOf(app, 'package lib\n\nrule if input.c')).toEqual({ input: [['a']], pure: true });
  });

  test('is told of each entrypoint by itself, and of a package as all of its rules', async () => {
    const bundle = await bundleOf(
      ['package app\n\none if input.a\n\ntwo if rand.intn("x", 2) == input.b'],
      ['app/one', 'app/two', 'app'],
    );
    expect(await manifestReads(bundle)).toEqual({
      'app/one': { input: [['a']], pure: true },
      'app/two': { input: [['b']], pure: false },
      app: { input: [['a'], ['b']], pure: false },
    });
  });

  test('is told of the policy that comes with this server', async () => {
    const folder = new URL('../../policies/mesh/', import.meta.url);
    const bundle = await bundleOf(
      [await readFile(new URL('authz.rego', folder), 'utf8')],
      ['mesh/authz/decision'],
    );
    const { input, pure } = (await manifestReads(bundle))['mesh/authz/decision']!;
    expect(pure).toBe(true);
    expect(new Set(input.map(([first]) => first))).toEqual(new Set(['identity', 'request', 'token']));
  });
});

describe('an entrypoint whose result hangs on more than its input', () => {
  const CALLS = [
    'time.now_ns() > 0',
    'rand.intn("a", 2) == 1',
    'uuid.rfc4122("a") != ""',
    'io.jwt.decode_verify(input.t, {"secret": "s"})[0]',
    'io.jwt.encode_sign({"alg": "ES256"}, {}, input.key) != ""',
    'io.jwt.encode_sign_raw("{}", "{}", input.key) != ""',
    'crypto.x509.parse_and_verify_certificates(input.chain)[0]',
    'crypto.x509.parse_and_verify_certificates_with_options(input.chain, {})[0]',
  ];

  let reads: { readonly [entrypoint: string]: Reads };
  beforeAll(async () => {
    reads = await manifestReads(
      await bundleOfAll([
        ...CALLS.map((call) => `decision if ${call}`),
        ...CALLS.map((call) => `decision if f(1)\n\nf(x) := y if {\n\ty := [1 | ${call}; x]\n}`),
      ]),
    );
  });

  test.each(CALLS.map((call, index) => [call, index] as const))(
    'is not pure, itself and through a helper: %s',
    (_call, index) => {
      expect(reads[entrypointOf(index)]!.pure).toBe(false);
      expect(reads[entrypointOf(CALLS.length + index)]!.pure).toBe(false);
    },
  );

  test('is not pure where a built-in stands in for another', async () => {
    const { pure } = await readsOf(
      'decision if p with startswith as uuid_of\n\np if startswith("a", "b")\n\nuuid_of(x, _) := uuid.rfc4122(x)',
    );
    expect(pure).toBe(false);
  });

  test('is pure with the other built-ins', async () => {
    const calls =
      'io.jwt.decode(input.t); time.clock(input.ns); crypto.sha256("a") != ""; regex.match("a", input.a)';
    expect((await readsOf(`decision if { ${calls} }`)).pure).toBe(true);
  });
});

describe('an input of nothing but what is read', () => {
  const POLICIES = [
    'decision := {"allowed": input.a.b == input.b.a}',
    'default decision := false\n\ndecision if { some k; input.a[k] == input.b }',
    'decision := {"allowed": count(input) > 2}',
    'decision := {"allowed": true, "dynamic_metadata": {"x": object.get(input, ["a", "b"], "none")}}',
    'decision := {"allowed": p}\n\ndefault p := false\n\np if not input.a.b.c',
    'decision := {"allowed": true, "dynamic_metadata": {"x": [v | v := input.c[_].a]}}',
    'decision := {"allowed": p} if { p := true; input.a } else := {"allowed": q} if { q := false; input.b.c } else := {"allowed": is_array(input.c)}',
    'decision := {"allowed": true, "dynamic_metadata": {"x": p}}\n\np contains x if { some x in input.a }\n\np contains x if { x := input.b.b }',
    'decision if p with input as {"a": input.b}\n\np if input.a.a == 1',
    'decision if p with input.a.b as input.c\n\np if { walk(input.a, [path, 1]); count(path) > 1 }',
    'decision := {"allowed": f(input.a), "reason": sprintf("%v", [input.b.b])}\n\nf(x) := y if { y := x == input.c } else := false',
    'decision if pick[input.a]\n\npick.one if input.b\n\npick.two if { every x in input.c { x == input.a } }',
    'decision := {"allowed": true, "dynamic_metadata": {"x": $"{input.a} {input.b.c}"}}',
    'import input.a as it\n\ndecision := {"allowed": {it.b, it.c} == {1, "one"}}',
    'decision := {"allowed": [input.a, input.b][input.c] == 1}',
  ];

  /** Between them these bring every policy to two answers, whatever else is generated. */
  const TELLING: readonly Tree[] = [
    {},
    { a: { b: 1, c: 'one' }, b: { a: 1, b: 0 }, c: 1, d: 1 },
    { a: 'one', b: { a: 1, c: 2 }, c: [{ a: 1 }] },
    { a: [1], b: 1, c: 0 },
    { a: { a: 1, b: { c: 1 } }, b: { a: 1 }, c: { a: 1 } },
  ];

  let policy: Policy;
  let reads: { readonly [entrypoint: string]: Reads };
  beforeAll(async () => {
    const bundle = await bundleOfAll(POLICIES);
    reads = await manifestReads(bundle);
    const read = await readBundle(bundle);
    if (isRefusal(read)) throw new Error(read.detail);
    const loaded = await loadPolicy({ bundle: read, entrypoints: Object.keys(reads) });
    if (isRefusal(loaded)) throw new Error(loaded.detail);
    policy = loaded;
  });

  test.each([...POLICIES.entries()])('gives the same result: policy %d', (index) => {
    const entrypoint = entrypointOf(index);
    const answer = (input: unknown) => policy.evaluate(entrypoint, parseExact(JSON.stringify(input)), 0);
    const seen = new Set<string>();
    fc.assert(
      fc.property(INPUTS, (input) => {
        const whole = answer(input);
        seen.add(JSON.stringify(whole));
        expect(answer(cutDown(input, reads[entrypoint]!.input))).toEqual(whole);
      }),
      { numRuns: 200, examples: TELLING.map((input): [Tree] => [input]) },
    );
    // Inputs that all give one answer would show nothing.
    expect(seen.size).toBeGreaterThan(1);
  });
});

type Tree = { readonly [name: string]: unknown };

/** Few names and few values, so that most paths of the policies lead somewhere and many comparisons hold. */
const { tree: INPUTS } = fc.letrec<{ tree: Tree; node: unknown }>((tie) => ({
  tree: fc.record({ a: tie('node'), b: tie('node'), c: tie('node'), d: tie('node') }, { requiredKeys: [] }),
  node: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom<unknown>(0, 1, 'one', 'two', true, false, null),
    fc.array(tie('node'), { maxLength: 3 }),
    { arbitrary: tie('tree'), weight: 2 },
  ),
}));

/** `input` with nothing but these paths, where they are. */
function cutDown(input: Tree, read: Reads['input']): unknown {
  if (read.some((path) => path.length === 0)) return input;
  const kept: { [name: string]: unknown } = {};
  for (const [name, value] of Object.entries(input)) {
    const below = read.filter(([first]) => first === name).map((path) => path.slice(1));
    if (below.length === 0) continue;
    kept[name] =
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? cutDown(value as Tree, below)
        : value;
  }
  return kept;
}
