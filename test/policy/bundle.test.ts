import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { isRefusal } from '../../src/errors/refusal.js';
import { readBundle, type ReadBundleOptions } from '../../src/policy/bundle.js';

type File = readonly [name: string, content: string];

const WASM: File = ['/policy.wasm', '\0asm'];

async function tar(...files: readonly File[]): Promise<Buffer> {
  const archive = pack();
  for (const [name, content] of files) archive.entry({ name }, content);
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

const bundleOf = async (...files: readonly File[]) => gzipSync(await tar(...files));

async function read(bytes: Uint8Array, options?: ReadBundleOptions) {
  const outcome = await readBundle(bytes, options);
  if (!isRefusal(outcome)) return outcome;
  expect(outcome.code).toBe('policy_unavailable');
  return outcome.detail;
}

describe('a bundle', () => {
  test('is read with its revision, its Wasm and its data, each file at the place of its folder', async () => {
    const bytes = await bundleOf(
      WASM,
      ['/.manifest', '{"revision":"r7","roots":[""]}'],
      ['/data.json', '{"top":1,"mesh":{"big":9007199254740993}}'],
      ['mesh/routes/data.yaml', 'http: [a, b]\n'],
      ['./mesh/data.yml', 'other: true\n'],
      ['/mesh/authz.rego', 'package mesh'],
    );
    expect(await read(bytes)).toEqual({
      revision: 'r7',
      wasm: Buffer.from('\0asm'),
      data: { top: 1, mesh: { big: 9007199254740993n, routes: { http: ['a', 'b'] }, other: true } },
    });
  });

  test('without a revision is told by its digest', async () => {
    const bytes = await bundleOf(WASM);
    expect(await read(bytes)).toMatchObject({
      revision: expect.stringMatching(/^sha256:[0-9a-f]{16}$/),
      data: {},
    });
    const named = await bundleOf(WASM, ['/.manifest', '{"revision":""}']);
    expect(await read(named)).toMatchObject({ revision: expect.stringMatching(/^sha256:/) });
  });

  test.each([
    ['text', async () => Buffer.from('not gzip'), /^the bundle is not a gzipped tar archive/],
    ['nothing', async () => Buffer.alloc(0), /^the bundle (is not|holds no)/],
    ['a tar that is not gzipped', () => tar(WASM), /^the bundle is not a gzipped tar archive/],
    [
      'gzip that holds no tar',
      async () => gzipSync('x'.repeat(2000)),
      /^the bundle is not a gzipped tar archive/,
    ],
    [
      'half of one',
      async () => (await bundleOf([WASM[0], 'x'.repeat(9999)])).subarray(0, 60),
      /^the bundle is not/,
    ],
    [
      'one without Wasm',
      () => bundleOf(['/data.json', '{}']),
      /no policy\.wasm; build it with `countersign build`/,
    ],
    [
      'a name with ..',
      () => bundleOf(WASM, ['a/../../etc/data.json', '{}']),
      /^a file of the bundle has \.\./,
    ],
    ['a file twice', () => bundleOf(WASM, ['policy.wasm', 'other']), /^the bundle holds policy\.wasm twice$/],
    [
      'a manifest that is no JSON',
      () => bundleOf(WASM, ['.manifest', '{']),
      /^\.manifest is not a JSON object$/,
    ],
    [
      'a revision that is no text',
      () => bundleOf(WASM, ['.manifest', '{"revision":1}']),
      /^\.manifest: revision/,
    ],
    [
      'data that are no JSON',
      () => bundleOf(WASM, ['a/data.json', '{"a":1,}']),
      /^a\/data\.json is not an object$/,
    ],
    [
      'data with a name twice',
      () => bundleOf(WASM, ['data.json', '{"a":1,"a":2}']),
      /^data\.json is not an object$/,
    ],
    ['data that are a list', () => bundleOf(WASM, ['data.yaml', '- a\n']), /^data\.yaml is not an object$/],
    [
      'data that meet',
      () => bundleOf(WASM, ['data.json', '{"a":{"b":1}}'], ['a/data.json', '{"b":2}']),
      /^a\/data\.json: data\.a\.b stands in another file as well$/,
    ],
  ])('that is %s is refused with what is wrong', async (_what, make, detail) => {
    expect(await read(await make())).toMatch(detail);
  });

  test('that unpacks to more than it may is refused before it is unpacked', async () => {
    const bomb = await bundleOf(WASM, ['/data.json', `{"a":"${'0'.repeat(5_000_000)}"}`]);
    expect(bomb.length).toBeLessThan(20_000);
    expect(await read(bomb, { maxBytes: 100_000 })).toBe('the bundle unpacks to more than 100000 bytes');
  });

  test('with a member called __proto__ keeps it a member', async () => {
    const bundle = await read(await bundleOf(WASM, ['data.json', '{"__proto__":{"admin":true}}']));
    expect(JSON.stringify(bundle)).toContain('"__proto__":{"admin":true}');
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  });
});
