import { folderOf, removeFolders, runCli } from './run-cli.js';

afterAll(removeFolders);

const policy = (rules: string) => `package mesh.authz\n\ndefault decision := false\n\n${rules}\n`;
const GOOD = policy('decision if input.request.method == "GET"');

describe('countersign check', () => {
  test('ends with 0 and says how much it looked at', async () => {
    const folder = await folderOf({ 'a.rego': GOOD, 'data.json': '{}' });
    expect(await runCli(['check', folder])).toEqual({
      code: 0,
      stdout: '2 files: no problems\n',
      stderr: '',
    });
  });

  test('finds nothing wrong with the policies that ship, in little time', async () => {
    const outcome = await runCli(['check', new URL('../../policies', import.meta.url).pathname]);
    expect(outcome).toMatchObject({ code: 0, stdout: expect.stringMatching(/: no problems\n$/) as string });
  });

  test('ends with 2 for an error and shows the line', async () => {
    const folder = await folderOf({ 'a.rego': policy('decision if input.identity.spifee_id == "x"') });
    const { code, stdout } = await runCli(['check', folder]);
    expect(code).toBe(2);
    expect(stdout).toBe(
      'a.rego:5:28: rego_type_error: input.identity has no spifee_id: did you mean spiffe_id?\n' +
        '    it has: destination, fingerprint, namespace, not_after, path, service_account, source, spiffe_id, trust_domain\n' +
        'decision if input.identity.spifee_id == "x"\n' +
        '                           ^\n' +
        '1 file: 1 error\n',
    );
  });

  test('ends with 0 for warnings, and with 2 if they are to count', async () => {
    const folder = await folderOf({ 'a.rego': policy('decision if 1 == 2') });
    const { code, stdout } = await runCli(['check', folder]);
    expect(code).toBe(0);
    expect(stdout).toContain('a.rego:5:13: warning: never_true: this is never true\n');
    expect(stdout).toMatch(/\n1 file: 1 warning\n$/);
    expect((await runCli(['check', folder, '--strict-warnings'])).code).toBe(2);
  });

  test('refuses built-ins that are not here, at each place, and only where they are reached', async () => {
    const call = 'http.send({"method": "get", "url": "x"}).status_code == 200';
    const folder = await folderOf({ 'a.rego': policy(`decision if {\n\t${call}\n}\n\ndecision if ${call}`) });
    const { code, stdout } = await runCli(['check', folder]);
    expect(code).toBe(2);
    expect(stdout).toContain('a.rego:6:2: builtin_missing: http.send is not here: a decision never waits');
    expect(stdout).toContain('a.rego:9:13: builtin_missing');
    const unreached = await folderOf({
      'a.rego': GOOD,
      'b.rego': `package other\n\nfetched if ${call}\n`,
      'a_test.rego': `package a_test\n\ntest_a if ${call}\n`,
    });
    expect((await runCli(['check', unreached])).code).toBe(0);
    expect((await runCli(['check', unreached, '-e', 'other/fetched'])).code).toBe(2);
  });

  test("takes a folder's own schemas, of the input too", async () => {
    const folder = await folderOf({
      'a.rego': policy('decision if input.user == data.mesh.owner'),
      'schemas/input.schema.json': '{"type": "object", "properties": {"user": {"type": "string"}}}',
      'schemas/data.schema.json':
        '{"type": "object", "properties": {"mesh": {"type": "object", "properties": {"owner": {"type": "string"}}}}}',
    });
    expect(await runCli(['check', folder])).toMatchObject({ code: 0, stdout: '1 file: no problems\n' });
    const broken = await folderOf({ 'a.rego': GOOD, 'schemas/x.schema.json': '{' });
    expect((await runCli(['check', broken])).stdout).toMatch(
      /^schemas\/x\.schema\.json:1:\d+: schema_parse_error/,
    );
  });

  test('writes JSON for programs', async () => {
    const folder = await folderOf({ 'a.rego': policy('decision if input.nowhere') });
    const { code, stdout } = await runCli(['check', folder, '--format', 'json']);
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({
      ok: false,
      errors: [{ code: 'rego_type_error', location: { file: 'a.rego', row: 5, col: 19 } }],
      warnings: [],
    });
  });

  test('prints the schema of the input for editors', async () => {
    const { code, stdout } = await runCli(['check', '--print-schema']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ properties: { identity: { type: 'object' } } });
  });

  test('says that a folder is not there', async () => {
    expect(await runCli(['check', 'nowhere'])).toMatchObject({
      code: 2,
      stderr: 'nowhere: no such folder\n',
    });
  });
});
