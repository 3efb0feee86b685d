import { isRefusal } from '../../src/errors/refusal.js';
import { combine } from '../../src/policy/combine.js';
import { packageOf } from '../../src/policy/rego-package.js';
import { content } from './bundles.js';

const ENTRYPOINTS = ['mesh/authz/decision'];
const wasm = Buffer.from('\0asm');
const rego = (path: string) => [{ path, content: 'package x' }];

function refused(parts: Record<string, ReturnType<typeof content>>): string {
  const outcome = combine(new Map(Object.entries(parts)), ENTRYPOINTS);
  if (!isRefusal(outcome)) throw new Error('it was combined');
  return `${outcome.code}: ${outcome.detail}`;
}

describe('several bundles', () => {
  test('are one policy with the data of all, told by the revision of each', () => {
    const combined = combine(
      new Map([
        ['authz', content('1', { roots: ['mesh'], wasm, data: { mesh: { a: 1 } }, rego: rego('left.rego') })],
        ['teams', content('2', { roots: ['teams'], data: { teams: ['x'] } })],
      ]),
      ENTRYPOINTS,
    );
    expect(combined).toEqual({
      revision: 'authz=r-1,teams=r-2',
      bundles: { authz: { revision: 'r-1' }, teams: { revision: 'r-2' } },
      data: { mesh: { a: 1 }, teams: ['x'] },
      rego: [],
      wasm,
    });
  });

  test('are as they were once they have been put together, and can be so again', () => {
    const left = content('1', { roots: ['teams/a'], wasm, data: { teams: { a: 1 } } });
    const right = content('2', { roots: ['teams/b'], data: { teams: { b: 2 } } });
    const parts = new Map([['left', { ...left, roots: ['mesh', 'teams/a'] }], ['right', right]]); // prettier-ignore
    for (let round = 0; round < 2; round++)
      expect(combine(parts, ENTRYPOINTS)).toMatchObject({ data: { teams: { a: 1, b: 2 } } });
    expect(left.data).toEqual({ teams: { a: 1 } });
  });

  test('without Wasm bring their Rego together, each under the name of its bundle', () => {
    const combined = combine(
      new Map([
        ['a', content('1', { roots: ['a'], rego: rego('p.rego') })],
        ['b', content('2', { roots: ['b'], rego: rego('p.rego') })],
      ]),
      ENTRYPOINTS,
    );
    expect(combined).toMatchObject({ rego: [{ path: 'a/p.rego' }, { path: 'b/p.rego' }] });
  });

  test('one alone keeps its revision and the paths of its Rego', () => {
    const combined = combine(new Map([['a', content('1', { rego: rego('p.rego') })]]), ENTRYPOINTS);
    expect(combined).toMatchObject({ revision: 'r-1', rego: [{ path: 'p.rego' }] });
  });

  test('are refused where nobody could say which of them decides', () => {
    expect(
      refused({ a: content('1', { roots: ['mesh'], wasm }), b: content('2', { roots: ['b'], wasm }) }),
    ).toMatch(/^bundle_roots: both a and b bring policy\.wasm/);
    expect(
      refused({
        a: content('1', { roots: ['mesh'], wasm }),
        b: content('2', { roots: ['b'], rego: rego('b.rego') }),
      }),
    ).toMatch(/^bundle_roots: b brings Rego that the policy\.wasm of a does not know/);
    expect(refused({ a: content('1', { data: { x: 1 } }) })).toMatch(/^bundle_without_policy/);
  });

  test('are refused where Wasm answers for what its bundle does not own', () => {
    expect(
      refused({ a: content('1', { roots: ['mesh'] }), b: content('2', { roots: ['b'], wasm }) }),
    ).toMatch(/^bundle_roots: the entrypoint mesh\/authz\/decision is outside of the roots of b/);
  });

  test.each([
    ['', 'b'],
    ['a', 'a'],
    ['a', 'a/b'],
    ['a/b/c', 'a/b'],
  ])('with the roots "%s" and "%s" are refused', (a, b) => {
    expect(refused({ a: content('1', { roots: [a], wasm }), b: content('2', { roots: ['z', b] }) })).toMatch(
      /overlap$/,
    );
  });

  test('with roots that only look alike are not', () => {
    const parts = new Map([
      ['a', content('1', { roots: ['mesh'], wasm })],
      ['b', content('2', { roots: ['mesh2', 'me'] })],
    ]);
    expect(combine(parts, ENTRYPOINTS)).toHaveProperty('wasm');
  });
});

describe('the package of a source', () => {
  test.each([
    ['package a', ['a']],
    ['# a comment\n\npackage a.b_c.d2 # more\n', ['a', 'b_c', 'd2']],
    ['package a["b-c"].d\r\nimport x', ['a', 'b-c', 'd']],
    ['\ufeffpackage a;x := 1', ['a']],
  ])('%j is %j', (source, path) => expect(packageOf(source)).toEqual(path));

  test.each([
    '',
    '# package a',
    'x := 1\npackage a',
    'package',
    'package a.b c',
    'package a["b\\u0063"]',
    'package a[b]',
  ])('of %j cannot be told', (source) => expect(packageOf(source)).toBeUndefined());
});
