import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compileFolder } from '../../src/cli/build.js';
import { Failure } from '../../src/cli/failure.js';
import { loadConfiguredPolicy } from '../../src/cli/policy-source.js';
import { isRefusal } from '../../src/errors/refusal.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'countersign-cli-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function write(path: string, content: string | Uint8Array): Promise<string> {
  await mkdir(join(folder, path, '..'), { recursive: true });
  await writeFile(join(folder, path), content);
  return join(folder, path);
}

const configured = (path: string, entrypoints: string[] = []) => ({
  path,
  entrypoint: 'mesh/authz/decision',
  entrypoints,
  allow_request_target_rewrite: false,
});

async function failure(path: string, entrypoints?: string[]): Promise<string> {
  const error = await loadConfiguredPolicy(configured(path, entrypoints)).catch((caught: unknown) => caught);
  if (!(error instanceof Failure)) throw new Error('it did not fail', { cause: error });
  return error.message;
}

describe('the policy that a configuration names', () => {
  test('a folder is compiled, and decides as the bundle that is built of it does', async () => {
    await write('policies/mesh/authz.rego', 'package mesh.authz\n\ndecision := input.n == 1\n');
    const { bundle } = await compileFolder(join(folder, 'policies'), ['mesh/authz/decision']);
    for (const path of [join(folder, 'policies'), await write('bundle.tar.gz', bundle)]) {
      const policy = await loadConfiguredPolicy(configured(path));
      const answers = [{ n: 1 }, { n: 2 }].map((input) => policy.evaluate('mesh/authz/decision', input, 0));
      expect(answers.map((answer) => !isRefusal(answer) && answer.allowed)).toEqual([true, false]);
    }
  });

  test('built-ins that are not here are named with the lines that call them', async () => {
    await write(
      'policies/mesh/authz.rego',
      'package mesh.authz\n\ndecision if {\n\thttp.send({"method": "get", "url": input.url}).status_code == 200\n}\n',
    );
    const message = await failure(join(folder, 'policies'));
    expect(message).toContain('http.send (a decision never waits for the network');
    expect(message).toContain('called at mesh/authz.rego:4:2');
  });

  test('Rego that does not compile is shown by file, line and column', async () => {
    await write('policies/mesh/authz.rego', 'package mesh.authz\n\ndecision := missing_rule\n');
    expect(await failure(join(folder, 'policies'))).toContain('mesh/authz.rego:3:13: rego_unsafe_var_error');
  });

  test('an entrypoint that is not there is named', async () => {
    await write('policies/mesh/authz.rego', 'package mesh.authz\n\ndecision := true\n');
    expect(await failure(join(folder, 'policies'), ['mesh/authz/other'])).toContain('mesh/authz/other');
    const { bundle } = await compileFolder(join(folder, 'policies'), ['mesh/authz/decision']);
    expect(await failure(await write('bundle.tar.gz', bundle), ['mesh/authz/other'])).toContain(
      'no entrypoint mesh/authz/other; the bundle has mesh/authz/decision',
    );
  });

  test('a path that is not there, and a file that is no bundle, say so by their path', async () => {
    expect(await failure(join(folder, 'nowhere'))).toBe(
      `policy.path: ${join(folder, 'nowhere')} cannot be read (ENOENT)`,
    );
    expect(await failure(await write('bundle.tar.gz', 'not gzip'))).toContain(
      `policy.path: ${join(folder, 'bundle.tar.gz')}: `,
    );
  });
});
