import { isRefusal } from '../../src/errors/refusal.js';
import { compileRego, type CompiledRego, type RegoCompileOptions } from '../../src/rego/compiler.js';
import type { RegoSource } from '../../src/rego/source.js';
import type { RegoErrors } from '../../src/rego/errors.js';
import { json, unpack } from './unpack.js';

const ENTRYPOINT = { entrypoints: ['app/allow'] };

function policy(body: string, path = 'app.rego'): RegoSource {
  return { path, content: `package app\n\n${body}\n` };
}

async function compiled(
  sources: RegoSource[],
  options: RegoCompileOptions = ENTRYPOINT,
): Promise<CompiledRego> {
  const result = await compileRego(sources, options);
  if (isRefusal(result)) throw new Error(result.detail);
  return result;
}

async function refusal(sources: RegoSource[], options: RegoCompileOptions = ENTRYPOINT): Promise<RegoErrors> {
  const result = await compileRego(sources, options);
  if (!isRefusal(result)) throw new Error('it compiled');
  return result;
}

describe('a bundle', () => {
  test("holds the Wasm, the data, the sources and OPA's manifest", async () => {
    const { bundle } = await compiled([policy('allow if input.user == "ada"')], {
      ...ENTRYPOINT,
      revision: 'r7',
    });
    const files = await unpack(bundle);
    expect([...files.keys()].sort()).toEqual(['/.manifest', '/app.rego', '/data.json', '/policy.wasm']);
    expect(await WebAssembly.compile(new Uint8Array(files.get('/policy.wasm')!))).toBeDefined();
    expect(json(files, '/.manifest')).toEqual({
      revision: 'r7',
      roots: [''],
      wasm: [{ entrypoint: 'app/allow', module: '/policy.wasm' }],
      rego_version: 1,
      metadata: { countersign: { reads: { 'app/allow': { input: [['user']], pure: true } } } },
    });
  });

  test('has every data file at the place that its folder gives it', async () => {
    const { bundle } = await compiled([
      policy('allow if data.a.b.c == 1'),
      { path: 'data.json', content: '{"top": 9007199254740993}' },
      { path: 'a/b/data.json', content: '{"c": 1}' },
      { path: 'a/data.yaml', content: 'd: [true, "no"]\n' },
    ]);
    const text = (await unpack(bundle)).get('/data.json')!.toString('utf8');
    expect(text).toContain('"top":9007199254740993');
    expect(JSON.parse(text)).toMatchObject({ a: { b: { c: 1 }, d: [true, 'no'] } });
  });

  test('is the same to the byte for the same sources', async () => {
    const sources = Array.from({ length: 12 }, (_, i) => ({
      path: `p${i}.rego`,
      content: `package p${i}\n\nimport data.p${(i + 1) % 12}.names\n\nallow if input.x in names\n\nnames := {"a${i}", "b"}\n`,
    }));
    const options = { entrypoints: sources.map((_, i) => `p${i}/allow`), revision: 'r1' };
    const [first, second] = await Promise.all([compiled(sources, options), compiled(sources, options)]);
    expect(Buffer.compare(first.bundle, second.bundle)).toBe(0);
  });

  test('of more than a pipe holds comes back whole', async () => {
    const names = Array.from({ length: 20_000 }, (_, i) => [`key-${i}`, Math.sin(i)]);
    const { bundle } = await compiled([
      policy('allow if data.names[input.name] > 0'),
      { path: 'data.json', content: JSON.stringify({ names: Object.fromEntries(names) }) },
    ]);
    expect(json(await unpack(bundle), '/data.json')).toEqual({ names: Object.fromEntries(names) });
  });
});

describe('the built-ins that a policy calls', () => {
  test('are listed with every place, whether Wasm has them or not', async () => {
    const { builtins } = await compiled([
      policy('allow if {\n\thttp.send({"method": "GET", "url": input.url}).status_code == 200\n\tnow > 1\n}'),
      policy('now := time.now_ns()\n\nlater := time.now_ns() + count(input.list)', 'lib/now.rego'),
    ]);
    expect(builtins).toEqual([
      { name: 'count', locations: [{ file: 'lib/now.rego', row: 5, col: 26 }] },
      { name: 'http.send', locations: [{ file: 'app.rego', row: 4, col: 2 }] },
      {
        name: 'time.now_ns',
        locations: [
          { file: 'lib/now.rego', row: 3, col: 8 },
          { file: 'lib/now.rego', row: 5, col: 10 },
        ],
      },
    ]);
  });

  test("do not include an author's own functions of the same name", async () => {
    const { builtins } = await compiled([
      policy('import data.lib.http\n\nallow if http.send(input.x)\n\ncount(_) := 1\n\none := count([])'),
      { path: 'lib.rego', content: 'package lib.http\n\nsend(x) if x.y == 1\n' },
    ]);
    expect(builtins).toEqual([]);
  });
});

describe('what is wrong with sources', () => {
  test('a syntax error has its file, row and column, and its line', async () => {
    const { code, errors, detail } = await refusal([policy('allow if {\n\tinput.x ==\n}', 'team/app.rego')]);
    expect(code).toBe('rego_invalid');
    expect(errors[0]).toMatchObject({
      code: 'rego_parse_error',
      location: { file: 'team/app.rego', row: 5, col: 1 },
      lineText: '}',
    });
    expect(detail).toContain('team/app.rego:5:1: rego_parse_error: ');
  });

  test('errors of all files are told at once', async () => {
    const { errors } = await refusal([policy('allow := if', 'a.rego'), policy('allow := [', 'b.rego')]);
    expect(new Set(errors.map(({ location }) => location?.file))).toEqual(new Set(['a.rego', 'b.rego']));
  });

  test('an unsafe variable and an unknown function are found where they stand', async () => {
    const unsafe = await refusal([policy('allow if {\n\t"é" == "é"; claim == 1\n}')]);
    expect(unsafe.errors).toEqual([
      {
        code: 'rego_unsafe_var_error',
        message: 'var claim is unsafe',
        location: { file: 'app.rego', row: 4, col: 14 },
        lineText: '\t"é" == "é"; claim == 1',
      },
    ]);
    const unknown = await refusal([policy('allow if granted(input.x)')]);
    expect(unknown.errors).toMatchObject([
      { message: 'undefined function granted', location: { row: 3, col: 10 } },
    ]);
  });

  test('Rego of before version 1 is refused', async () => {
    const { errors } = await refusal([policy('allow { input.x }')]);
    expect(errors).toMatchObject([{ code: 'rego_parse_error', location: { file: 'app.rego', row: 3 } }]);
  });

  test('every entrypoint that is none is named', async () => {
    const { errors } = await refusal([policy('allow if granted(1)\n\ngranted(x) if x == input.x')], {
      entrypoints: ['app/allow', 'app/alow', 'app/granted', 'app//allow', ''],
    });
    expect(errors.map(({ code, message }) => `${code}: ${message}`)).toEqual([
      'entrypoint_invalid: entrypoint "app/alow" names no rule and no package',
      'entrypoint_invalid: entrypoint "app/granted" is a function',
      'entrypoint_invalid: entrypoint "app//allow" is not a path of the form package/rule',
      'entrypoint_invalid: entrypoint "" is not a path of the form package/rule',
    ]);
  });

  test('no entrypoint at all is refused', async () => {
    const { errors } = await refusal([policy('allow := true')], { entrypoints: [] });
    expect(errors).toMatchObject([{ message: expect.stringContaining('at least one entrypoint') as string }]);
  });

  test('broken data has its file, row and column', async () => {
    const { errors } = await refusal([
      policy('allow := true'),
      { path: 'a/data.json', content: '{\n  "é": 1 2\n}' },
      { path: 'b/data.yaml', content: 'a: 1\n b: 2\n' },
    ]);
    expect(errors).toMatchObject([
      {
        code: 'data_parse_error',
        location: { file: 'a/data.json', row: 2, col: 10 },
        lineText: '  "é": 1 2',
      },
      { code: 'data_parse_error', location: { file: 'b/data.yaml', row: 2 } },
    ]);
  });

  test('a rule at a place where data stands is refused, because it would hide it', async () => {
    const { errors } = await refusal([
      policy('allow := true'),
      { path: 'app/data.json', content: '{"allow": false}' },
    ]);
    expect(errors).toMatchObject([{ location: { file: 'app.rego', row: 3, col: 1 } }]);
  });

  test('a file that would be an instruction to OPA is refused', async () => {
    const paths = ['.manifest', '.signatures.json', 'patch.json', 'policy.wasm', '../app.rego', '/app.rego'];
    const { errors } = await refusal(paths.map((path) => ({ path, content: '{}' })));
    expect(errors.map(({ code, message }) => [code, message.split('"')[1]])).toEqual(
      paths.map((path) => ['source_path_invalid', path]),
    );
  });

  test('one path twice is refused', async () => {
    const { errors } = await refusal([policy('allow := true'), policy('allow := true')]);
    expect(errors).toMatchObject([{ message: expect.stringContaining('app.rego') as string }]);
  });

  test('nesting that exhausts the compiler is a refusal, and the next compilation works', async () => {
    const { code } = await refusal([policy(`allow := ${'['.repeat(20_000)}${']'.repeat(20_000)}`)]);
    expect(code).toBe('rego_compiler_failed');
    await expect(compiled([policy('allow := true')])).resolves.toBeDefined();
  });
});

test('the event loop is free while a policy compiles', async () => {
  let turns = 0;
  const ticking = setInterval(() => turns++, 1);
  await compiled([policy('allow := true')]).finally(() => clearInterval(ticking));
  expect(turns).toBeGreaterThan(5);
});
