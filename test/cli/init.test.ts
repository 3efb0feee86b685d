import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadConfig } from '../../src/config/load.js';
import { folderOf, removeFolders, runCli } from './run-cli.js';

afterAll(removeFolders);

async function started(): Promise<string> {
  const folder = join(await folderOf({ keep: '' }), 'policy');
  const { code, stderr } = await runCli(['init', folder]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return folder;
}

describe('countersign init', () => {
  test('writes a policy that passes check and its tests, and is laid out', async () => {
    const folder = await started();
    const checked = await runCli(['check', folder, '--strict-warnings']);
    expect(checked).toMatchObject({ code: 0, stdout: expect.stringContaining('no problems') });
    const tested = await runCli(['test', folder]);
    expect(tested.stdout).toMatch(/^5 passed\n/);
    expect(await runCli(['fmt', '--check', folder])).toMatchObject({ code: 0 });
  });

  test('writes one whose denials can be explained', async () => {
    const folder = await started();
    const { stdout } = await runCli([
      ...['explain', '--policy', folder, '--request', 'POST /orders'],
      ...['--svid', 'spiffe://example.org/ns/shop/sa/frontend', '--token-claims', '{"scope": "orders:read"}'],
    ]);
    expect(stdout).toMatch(/^denied: insufficient_scope \(403\)/);
    expect(stdout).toContain('scope = "orders:write", input.token.scopes = ["orders:read"]');
  });

  test("writes the editor's settings and what git is not to keep, by their dotted names", async () => {
    const folder = await started();
    const settings = JSON.parse(await readFile(join(folder, '.vscode/settings.json'), 'utf8'));
    expect(settings['opa.roots']).toEqual(['${workspaceFolder}']);
    expect(await readFile(join(folder, '.gitignore'), 'utf8')).toContain('*.tar.gz');
  });

  test('writes the configuration of a sidecar, which listens where permissions say who may ask', async () => {
    const folder = await started();
    const file = join(folder, 'countersign.yaml');
    expect(await runCli(['config', 'check', file])).toMatchObject({ code: 0 });
    expect((await loadConfig(file, {})).listen).toMatchObject({
      grpc: 'unix:///run/countersign/countersign.sock',
      socket_mode: '0660',
    });
  });

  test('has a README of as many lines as one reads', async () => {
    const folder = await started();
    const lines = (await readFile(join(folder, 'README.md'), 'utf8')).trim().split('\n').slice(2);
    expect(lines).toHaveLength(5);
  });

  test('overwrites nothing: it names the file that is there, and writes none', async () => {
    const folder = await folderOf({ 'mesh/authz.rego': 'mine' });
    const { code, stderr } = await runCli(['init', folder]);
    expect(code).toBe(1);
    expect(stderr).toBe(`${join(folder, 'mesh/authz.rego')} is there already; nothing was written\n`);
    expect(await readFile(join(folder, 'mesh/authz.rego'), 'utf8')).toBe('mine');
    await expect(stat(join(folder, 'README.md'))).rejects.toThrow('ENOENT');
  });

  test('says so where it cannot write', async () => {
    const folder = await folderOf({ file: '' });
    await writeFile(join(folder, 'file'), '');
    const { code, stderr } = await runCli(['init', join(folder, 'file')]);
    expect(code).toBe(1);
    expect(stderr).toContain('cannot be written (ENOTDIR)');
  });
});
