import { chmod, readdir, readFile, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { folderOf, removeFolders, runCli } from './run-cli.js';

afterAll(removeFolders);

const UGLY = 'package app\nallow   if {input.x==1}\n';
const NEAT = 'package app\n\nallow if input.x == 1\n';
const folder = () =>
  folderOf({ 'a.rego': UGLY, 'sub/b_test.rego': UGLY, 'c.rego': NEAT, 'data.json': '{ }' });

describe('countersign fmt', () => {
  test('writes the files that change, tests too, names them, and leaves the others alone', async () => {
    const root = await folder();
    const untouched = (await stat(join(root, 'c.rego'))).mtimeMs;
    await chmod(join(root, 'a.rego'), 0o640);
    const { code, stdout } = await runCli(['fmt'], root);
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'a.rego\nsub/b_test.rego\n' });
    for (const name of ['a.rego', 'sub/b_test.rego'])
      expect(await readFile(join(root, name), 'utf8')).toBe(NEAT);
    expect((await stat(join(root, 'a.rego'))).mode & 0o777).toBe(0o640);
    expect((await stat(join(root, 'c.rego'))).mtimeMs).toBe(untouched);
    expect((await readdir(root)).sort()).toEqual(['a.rego', 'c.rego', 'data.json', 'sub']);
  });

  test('writes through a link and keeps it', async () => {
    const root = await folderOf({ 'real.rego': UGLY });
    await symlink('real.rego', join(root, 'link.rego'));
    expect((await runCli(['fmt', 'link.rego'], root)).stdout).toBe('link.rego\n');
    expect(await readFile(join(root, 'real.rego'), 'utf8')).toBe(NEAT);
    expect((await stat(join(root, 'link.rego'))).isFile()).toBe(true);
  });

  test.each([
    [['--list'], 0],
    [['--check'], 2],
  ])('%j names the files and writes none', async (options, code) => {
    const root = await folder();
    expect(await runCli(['fmt', ...options], root)).toEqual({
      code,
      stdout: 'a.rego\nsub/b_test.rego\n',
      stderr: '',
    });
    expect(await readFile(join(root, 'a.rego'), 'utf8')).toBe(UGLY);
  });

  test('--diff shows what would change, in the form that patch reads', async () => {
    const root = await folder();
    const { code, stdout } = await runCli(['fmt', '--diff', 'a.rego'], root);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^--- a\.rego\tnow\n\+\+\+ a\.rego\tformatted\n@@ -1,2 \+1,3 @@\n/);
    expect(stdout).toContain('-allow   if {input.x==1}\n+\n+allow if input.x == 1\n');
    expect(await readFile(join(root, 'a.rego'), 'utf8')).toBe(UGLY);
  });

  test('--check ends with 0 where nothing would change', async () => {
    expect(await runCli(['fmt', '--check', 'c.rego'], await folder())).toEqual({
      code: 0,
      stdout: '',
      stderr: '',
    });
  });

  test('shows where a file does not parse, and writes none at all', async () => {
    const root = await folderOf({ 'a.rego': UGLY, 'b.rego': 'package b\n\nallow if {\n' });
    const { code, stderr } = await runCli(['fmt'], root);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^b\.rego:\d+:\d+: rego_parse_error/);
    expect(await readFile(join(root, 'a.rego'), 'utf8')).toBe(UGLY);
  });

  test.each([
    ['nowhere.rego', 'nowhere.rego: cannot be read (ENOENT)\n'],
    ['data.json', 'data.json: not a .rego file\n'],
  ])('says what is wrong with %s', async (path, stderr) => {
    expect(await runCli(['fmt', path], await folder())).toEqual({ code: 2, stdout: '', stderr });
  });
});
