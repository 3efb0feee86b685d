import { spawn } from 'node:child_process';
import { rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually } from '../e2e/eventually.js';
import { folderOf, MAIN, removeFolders, runCli } from './run-cli.js';

afterAll(removeFolders);

const POLICY =
  'package app\n\ndefault allow := false\n\nallow if input.user == "ada"\n\nallow if input.user == "bob"\n';
const testFile = (user: string) =>
  `package app_test\n\nimport data.app\n\ntest_user if app.allow with input as {"user": "${user}"}\n`;

const good = () => folderOf({ 'app.rego': POLICY, 'app_test.rego': testFile('ada') });
const bad = () => folderOf({ 'app.rego': POLICY, 'app_test.rego': testFile('eve') });

describe('countersign test', () => {
  test('ends with 0 when all pass, and names them only if asked', async () => {
    const folder = await good();
    expect(await runCli(['test', folder])).toEqual({ code: 0, stdout: '1 passed\n', stderr: '' });
    expect((await runCli(['test', '-v', folder])).stdout).toMatch(/pass app_test\.test_user, line 5/);
  });

  test('ends with 2 when one fails, and shows what it stopped at', async () => {
    const { code, stdout } = await runCli(['test', await bad()]);
    expect(code).toBe(2);
    expect(stdout).toContain('FAIL app_test.test_user, line 5');
    expect(stdout).toContain('app.allow = false');
    expect(stdout).toContain('app.rego:5:10\n');
    expect(stdout).toContain('input.user = "eve"');
    expect(stdout).toMatch(/\n0 passed, 1 failed\n$/);
  });

  test('ends with 2 below the threshold, and lists the lines that did not run', async () => {
    const folder = await good();
    const { code, stdout } = await runCli(['test', folder, '--threshold', '90']);
    expect(code).toBe(2);
    expect(stdout).toContain('coverage: 33.3 % of 3 lines, below the threshold of 90 %');
    expect(stdout).toContain('app.rego   33.3 %  not covered: 3, 7');
    expect((await runCli(['test', folder, '--threshold', '33'])).code).toBe(0);
  });

  test('writes JSON for programs', async () => {
    const { code, stdout } = await runCli(['test', await bad(), '--format', 'json', '--coverage']);
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({
      ok: false,
      summary: { passed: 0, failed: 1, errors: 0, skipped: 0 },
      tests: [
        { name: 'test_user', outcome: 'fail', failure: { location: { file: 'app_test.rego', row: 5 } } },
      ],
      coverage: { files: [{ file: 'app.rego' }] },
    });
  });

  test('writes JUnit for CI servers', async () => {
    const { code, stdout } = await runCli(['test', await bad(), '--format', 'junit']);
    expect(code).toBe(2);
    expect(stdout).toContain('<testsuite name="app_test" tests="1" failures="1" errors="0" skipped="0"');
    expect(stdout).toContain('<failure message="app_test.rego:5: app.allow with input as {&quot;user&quot;');
  });

  test('shows where the sources do not compile', async () => {
    const folder = await folderOf({ 'app.rego': 'package app\n\nallow if usr\n' });
    const text = await runCli(['test', folder]);
    expect(text).toMatchObject({ code: 2, stdout: '' });
    expect(text.stderr).toContain('app.rego:3:10: rego_unsafe_var_error: var usr is unsafe\nallow if usr\n');
    const json = await runCli(['test', folder, '-f', 'json']);
    expect(json.code).toBe(2);
    expect(JSON.parse(json.stdout)).toMatchObject({ errors: [{ location: { file: 'app.rego', row: 3 } }] });
  });

  test('does not take a run without a test for a good one', async () => {
    const folder = await good();
    const none = await runCli(['test', folder, '--run', 'test_usr']);
    expect(none.code).toBe(2);
    expect(none.stderr).toContain('has a name that test_usr matches');
    const bare = await runCli(['test', await folderOf({ 'app.rego': POLICY })]);
    expect(bare).toMatchObject({ code: 2, stderr: expect.stringContaining('no *_test.rego file') as string });
  });

  test.each([
    [['--threshold', 'most'], 'It is a number from 0 to 100.'],
    [['--timeout', '0'], 'It is a whole number from 1 to 3600000.'],
    [['--run', '('], 'pattern_invalid'],
    [['--format', 'xml'], 'Allowed choices are text, json, junit.'],
  ])('says what %j should be', async (options, text) => {
    const { code, stderr } = await runCli(['test', await good(), ...options]);
    expect(code).not.toBe(0);
    expect(stderr).toContain(text);
  });

  test('says that a folder is not there', async () => {
    expect(await runCli(['test', 'nowhere'])).toEqual({
      code: 2,
      stdout: '',
      stderr: 'nowhere: no such folder\n',
    });
  });
});

describe('countersign test --watch', () => {
  test('runs again on a save, through an error, and when links are swapped as a ConfigMap does', async () => {
    const folder = await folderOf({
      '..v1/app.rego': POLICY,
      '..v1/app_test.rego': testFile('ada'),
      '..v2/app.rego': POLICY,
      '..v2/app_test.rego': testFile('eve'),
    });
    await symlink('..v1', join(folder, '..data'));
    for (const name of ['app.rego', 'app_test.rego']) await symlink(join('..data', name), join(folder, name));
    const child = spawn(process.execPath, [MAIN, 'test', '--watch', folder], {
      env: { ...process.env, NODE_OPTIONS: '' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      let shown = '';
      child.stdout.on('data', (text: Buffer) => (shown += text.toString()));
      const next = async (text: string) => {
        await eventually(() => (shown.includes(text) && shown.includes('waiting for changes')) || undefined);
        shown = '';
      };
      await next('1 passed\n');
      await symlink('..v2', join(folder, '..tmp'));
      await rename(join(folder, '..tmp'), join(folder, '..data'));
      await next('1 failed\n');
      await writeFile(join(folder, '..v2/app_test.rego'), 'package app_test\n\ntest_user if {\n');
      await next('rego_parse_error');
      await writeFile(join(folder, '..v2/app_test.rego'), testFile('bob'));
      await next('1 passed\n');
    } finally {
      child.kill();
    }
  }, 60_000);
});
