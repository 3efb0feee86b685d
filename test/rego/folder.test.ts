import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { isRefusal } from '../../src/errors/refusal.js';
import { readRegoFolder } from '../../src/rego/folder.js';

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'rego-folder-'));
});

afterEach(() => rm(root, { recursive: true }));

async function write(...paths: string[]): Promise<void> {
  for (const path of paths) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), `# ${path}\n`);
  }
}

async function paths(folder = root): Promise<string[]> {
  const sources = await readRegoFolder(folder);
  if (isRefusal(sources)) throw new Error(sources.detail);
  return sources.map(({ path }) => path);
}

async function refusal(folder = root): Promise<string> {
  const sources = await readRegoFolder(folder);
  if (!isRefusal(sources)) throw new Error('it was read');
  expect(sources.code).toBe('rego_folder_invalid');
  return sources.detail;
}

describe('readRegoFolder', () => {
  test('reads policies and data in the order of their paths, and nothing else', async () => {
    await write('b.rego', 'a/z.rego', 'a/data.json', 'a/b/data.yaml', 'c/data.yml', 'B.rego');
    await write('README.md', 'a/other.json', 'a/z_test.rego', '.hidden/x.rego', '.x.rego');
    await write('node_modules/lib/x.rego');
    expect(await paths()).toEqual([
      'B.rego',
      'a/b/data.yaml',
      'a/data.json',
      'a/z.rego',
      'b.rego',
      'c/data.yml',
    ]);
  });

  test('gives the content as it stands, less a byte order mark', async () => {
    await writeFile(join(root, 'a.rego'), '\ufeffpackage é\r\n');
    expect(await readRegoFolder(root)).toEqual([{ path: 'a.rego', content: 'package é\r\n' }]);
  });

  test('reads a mounted ConfigMap, whose files and folders are links into a hidden one', async () => {
    await write('..2024_01_01/authz.rego', '..2024_01_01/routes/data.json');
    await symlink('..2024_01_01', join(root, '..data'));
    await symlink('..data/authz.rego', join(root, 'authz.rego'));
    await symlink('..data/routes', join(root, 'routes'));
    expect(await paths()).toEqual(['authz.rego', 'routes/data.json']);
  });

  test('is itself allowed to be a link', async () => {
    await write('real/a.rego');
    await symlink('real', join(root, 'link'));
    expect(await paths(join(root, 'link'))).toEqual(['a.rego']);
  });

  test('refuses a link that leads out, also to a folder whose name begins alike', async () => {
    await write('policies/a.rego', 'policies-old/b.rego');
    await symlink('../policies-old/b.rego', join(root, 'policies/b.rego'));
    expect(await refusal(join(root, 'policies'))).toMatch(/b\.rego: links out of the folder$/);
  });

  test('refuses a link in a circle', async () => {
    await write('a/a.rego');
    await symlink('..', join(root, 'a/up'));
    expect(await refusal()).toMatch(/a\/up: links to a folder around it$/);
  });

  test('refuses a link to nothing, rather than leave a file out', async () => {
    await write('a.rego');
    await symlink('gone.rego', join(root, 'b.rego'));
    expect(await refusal()).toMatch(/b\.rego: links to nothing$/);
  });

  test('refuses a file that is not UTF-8', async () => {
    await writeFile(join(root, 'a.rego'), Buffer.from([0x70, 0xff]));
    expect(await refusal()).toMatch(/a\.rego: not UTF-8$/);
  });

  test('says that there is no such folder, or that it is a file', async () => {
    expect(await refusal(join(root, 'none'))).toBe(`${join(root, 'none')}: no such folder`);
    await write('a.rego');
    expect(await refusal(join(root, 'a.rego'))).toContain('a.rego');
  });

  test('says that a folder holds no policy', async () => {
    await write('data.json', 'a_test.rego');
    expect(await refusal()).toBe(`${root}: no .rego file in it, tests aside`);
  });

  test('reads tests too if asked', async () => {
    await write('a.rego', 'a_test.rego');
    const sources = await readRegoFolder(root, { tests: true });
    expect(!isRefusal(sources) && sources.map(({ path }) => path)).toEqual(['a.rego', 'a_test.rego']);
  });

  test('says that a file is no folder', async () => {
    await write('a.rego');
    expect(await refusal(join(root, 'a.rego'))).toBe(`${join(root, 'a.rego')}: not a folder`);
  });
});
