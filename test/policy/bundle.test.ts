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

/** Aliases of aliases: a few lines that stand for 10^9 values. */
const LAUGHS = Array.from('abcdefghi', (name, index) => {
  const items = index === 0 ? 'x' : `*${'abcdefghi'[index - 1]}`;
  return `${name}: &${name} [${Array(10).fill(items).join(', ')}]`;
}).join('\n');

async function read(bytes: Uint8Array, options?: ReadBundleOptions) {
  const outcome = await readBundle(bytes, options);
  if (!isRefusal(outcome)) return outcome;
  expect(outcome.code).toMatch(/^bundle_/);
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
    ['data that are null', () => bundleOf(WASM, ['a/data.json', 'null']), /^a\/data\.json is not an object$/],
    ['data with a byte order mark', () => bundleOf(WASM, ['data.json', '\ufeff{}']), /^data\.json is not/],
    [
      'data nested too deeply',
      () => bundleOf(WASM, ['data.json', `{"a":${'['.repeat(300)}${']'.repeat(300)}}`]),
      /^data\.json is not an object$/,
    ],
    ['data that are no YAML', () => bundleOf(WASM, ['data.yaml', 'a: [']), /^data\.yaml is not an object$/],
    [
      'YAML with a name twice',
      () => bundleOf(WASM, ['data.yml', 'a: 1\na: 2']),
      /^data\.yml is not an object$/,
    ],
    ['YAML in two documents', () => bundleOf(WASM, ['data.yaml', 'a: 1\n---\nb: 2']), /^data\.yaml is not/],
    ['YAML that holds itself', () => bundleOf(WASM, ['data.yaml', 'a: &a\n  b: *a']), /^data\.yaml is not/],
    ['YAML that grows without end', () => bundleOf(WASM, ['data.yaml', LAUGHS]), /^data\.yaml is not/],
    ['YAML with what is no number', () => bundleOf(WASM, ['data.yaml', 'a: .nan']), /^data\.yaml is not/],
    ['YAML with a number too large', () => bundleOf(WASM, ['data.yaml', 'a: 1e400']), /^data\.yaml is not/],
    [
      'data in folders without end',
      () => bundleOf(WASM, [`${'a/'.repeat(20_000)}data.json`, '{}']),
      /^data\.json stands in more than 256 folders$/,
    ],
    [
      'a manifest that is a list',
      () => bundleOf(WASM, ['.manifest', '[]']),
      /^\.manifest is not a JSON object$/,
    ],
    [
      'a manifest that repeats itself',
      () => bundleOf(WASM, ['.manifest', '{"revision":"a","revision":"b"}']),
      /^\.manifest is not a JSON object$/,
    ],
    [
      'one with something behind it',
      async () => Buffer.concat([await bundleOf(WASM), Buffer.from('more')]),
      /^the bundle is not a gzipped tar archive/,
    ],
    ['two in one file', async () => Buffer.concat([await bundleOf(WASM), await bundleOf(WASM)]), /twice$/],
    ['data that are a list', () => bundleOf(WASM, ['data.yaml', '- a\n']), /^data\.yaml is not an object$/],
    [
      'data that meet',
      () => bundleOf(WASM, ['data.json', '{"a":{"b":1}}'], ['a/data.json', '{"b":2}']),
      /^a\/data\.json: data\.a\.b stands in another file as well$/,
    ],
  ])('that is %s is refused with what is wrong', async (_what, make, detail) => {
    expect(await read(await make())).toMatch(detail);
  });

  test('cut off anywhere is refused, and nothing rejects', async () => {
    const whole = await bundleOf(WASM, ['data.json', '{"a":1}'], ['.manifest', '{"revision":"r"}']);
    for (let length = 0; length < whole.length; length++)
      expect(await read(whole.subarray(0, length))).toMatch(/^the bundle (is not a gzipped|holds no policy)/);
  });

  test('with a bit flipped anywhere is refused, or is what it was', async () => {
    const whole = await bundleOf(WASM, ['data.json', '{"a":1}'], ['.manifest', '{"revision":"r"}']);
    const first = await read(whole);
    for (let at = 0; at < whole.length; at++) {
      const damaged = Buffer.from(whole);
      damaged[at]! ^= 1;
      const outcome = await read(damaged);
      // The header of gzip holds a time and a system, which mean nothing.
      if (typeof outcome !== 'string') expect(outcome).toEqual(first);
    }
  });

  test('may be empty but for its Wasm: no manifest, no data', async () => {
    expect(await read(await bundleOf(WASM))).toMatchObject({ data: {} });
  });

  test('takes no link for a file', async () => {
    const archive = pack();
    archive.entry({ name: 'data.json', type: 'symlink', linkname: '/etc/passwd' });
    archive.entry({ name: 'a/data.json', type: 'link', linkname: 'policy.wasm' });
    archive.entry({ name: 'b/', type: 'directory' });
    archive.entry({ name: WASM[0] }, WASM[1]);
    archive.finalize();
    const chunks: Buffer[] = [];
    for await (const chunk of archive) chunks.push(chunk as Buffer);
    expect(await read(gzipSync(Buffer.concat(chunks)))).toMatchObject({ data: {} });
  });

  test.each(['..', '../data.json', '/../data.json', './../data.json', 'a/../data.json', 'a/..'])(
    'with a file called %s is refused, though nothing is ever written to a disk',
    async (name) => {
      expect(await read(await bundleOf(WASM, [name, '{}']))).toBe('a file of the bundle has .. in its name');
    },
  );

  test.each(['..data.json', 'a..b/data.json', '.../data.json'])('may hold a file called %s', async (name) => {
    expect(await read(await bundleOf(WASM, [name, '{}']))).toHaveProperty('wasm');
  });

  test('trap 96: keeps the integers of its YAML exact, as those of its JSON', async () => {
    const yaml = 'a: 9007199254740993\nb: [-9007199254740993, 7, 0x1f]\nc: 1.5\nd: "8"\n';
    expect(await read(await bundleOf(WASM, ['data.yaml', yaml]))).toMatchObject({
      data: { a: 9007199254740993n, b: [-9007199254740993n, 7, 31], c: 1.5, d: '8' },
    });
  });

  test('counts the bytes of all its files together', async () => {
    const files: File[] = Array.from({ length: 10 }, (_, index) => [`${index}.rego`, 'x'.repeat(1_000)]);
    const bytes = await bundleOf(WASM, ...files);
    expect(await read(bytes, { maxBytes: 10_004 })).toHaveProperty('revision');
    expect(await read(bytes, { maxBytes: 10_003 })).toBe('the bundle unpacks to more than 10003 bytes');
  });

  test('that hides its size between files is refused before it is unpacked', async () => {
    const archive = pack();
    archive.entry({ name: 'a', type: 'symlink', linkname: 'b', pax: { comment: 'x'.repeat(3_000_000) } });
    archive.entry({ name: WASM[0] }, WASM[1]);
    archive.finalize();
    const chunks: Buffer[] = [];
    for await (const chunk of archive) chunks.push(chunk as Buffer);
    expect(await read(gzipSync(Buffer.concat(chunks)), { maxBytes: 100_000 })).toBe(
      'the bundle unpacks to more than 100000 bytes',
    );
  });

  test('that unpacks to more than it may is refused before it is unpacked', async () => {
    const bomb = await bundleOf(WASM, ['/data.json', `{"a":"${'0'.repeat(5_000_000)}"}`]);
    expect(bomb.length).toBeLessThan(20_000);
    expect(await read(bomb, { maxBytes: 100_000 })).toBe('the bundle unpacks to more than 100000 bytes');
  });

  test('with data that look like a refusal keeps them', async () => {
    const bytes = await bundleOf(WASM, ['data.json', '{"refused":true,"detail":"x"}']);
    expect(await read(bytes)).toMatchObject({ data: { refused: true, detail: 'x' } });
  });

  test('with a member called __proto__ keeps it a member', async () => {
    const bundle = await read(await bundleOf(WASM, ['data.json', '{"__proto__":{"admin":true}}']));
    expect(JSON.stringify(bundle)).toContain('"__proto__":{"admin":true}');
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  });
});
