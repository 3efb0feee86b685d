import { generateKeyPairSync } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Inspection } from '../../src/cli/inspect/inspection.js';
import { folderOf, removeFolders, runCli } from './run-cli.js';

afterAll(removeFolders);

const RULES = `package mesh.authz

decision if {
	time.now_ns() > data.mesh.since
	input.user in data.mesh.people.list
}
`;
const DATA = '{"since": 9007199254740993, "people": {"list": ["ada", "bob"]}}';

async function folder(rules = RULES): Promise<string> {
  return folderOf({ 'src/mesh/authz.rego': rules, 'src/mesh/data.json': DATA });
}

async function built(root: string, more: readonly string[] = []): Promise<string> {
  const bundle = join(root, 'bundle.tar.gz');
  const args = ['build', join(root, 'src'), '-e', 'mesh/authz/decision', '-r', 'r7', '-o', bundle, ...more];
  expect((await runCli(args)).code).toBe(0);
  return bundle;
}

async function inspect(path: string, more: readonly string[] = []): Promise<Inspection> {
  return JSON.parse((await runCli(['inspect', path, '--format', 'json', ...more])).stdout) as Inspection;
}

async function keyPair(root: string, name: string): Promise<void> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await writeFile(join(root, `${name}.key`), privateKey.export({ type: 'pkcs8', format: 'pem' }));
  await writeFile(join(root, `${name}.pub`), publicKey.export({ type: 'spki', format: 'pem' }));
}

describe('countersign inspect', () => {
  test('tells revision, roots, entrypoints, built-ins, data and files of a bundle', async () => {
    const bundle = await built(await folder());
    const inspection = await inspect(bundle);
    expect(inspection).toMatchObject({
      kind: 'bundle',
      revision: 'r7',
      roots: [''],
      rego_version: 1,
      wasm: {
        entrypoints: ['mesh/authz/decision'],
        builtins: [{ name: 'time.now_ns', here: true }],
      },
      data: [
        { path: 'mesh/people/list', bytes: '["ada","bob"]'.length },
        { path: 'mesh/since', bytes: '9007199254740993'.length },
      ],
    });
    expect(inspection.files.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['.manifest', 'data.json', 'policy.wasm']),
    );
    expect(inspection).not.toHaveProperty('signature');
    for (const { sha256 } of inspection.files) expect(sha256).toMatch(/^[0-9a-f]{64}$/);
  });

  test('says it in words', async () => {
    const { code, stdout } = await runCli(['inspect', await built(await folder())]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^revision {6}r7$/m);
    expect(stdout).toMatch(/^roots {9}all of data$/m);
    expect(stdout).toMatch(/^signature {5}none$/m);
    expect(stdout).toMatch(/^ {2}time\.now_ns {2}here$/m);
    expect(stdout).toMatch(/^ {2}mesh\/since {8}16 bytes$/m);
  });

  test('names built-ins that the server would refuse the bundle for', async () => {
    const root = await folder(
      'package mesh.authz\n\ndecision if http.send({"url": "x", "method": "get"}).ok\n',
    );
    const bundle = await built(root);
    expect((await inspect(bundle)).wasm!.builtins).toMatchObject([
      { name: 'http.send', here: false, reason: expect.stringContaining('never waits for the network') },
    ]);
    expect((await runCli(['inspect', bundle])).stdout).toContain('http.send  NOT HERE: the server refuses');
  });

  test('tells what a signature says, and verifies it where a key is given', async () => {
    const root = await folder();
    await keyPair(root, 'ours');
    await keyPair(root, 'other');
    const bundle = await built(root, [
      ...['--signing-key', join(root, 'ours.key'), '--signing-alg', 'ES256', '--key-id', 'k1'],
    ]);
    const unverified = await inspect(bundle);
    expect(unverified.signature).toMatchObject({ verified: false, algorithm: 'ES256', key_id: 'k1' });
    expect((await runCli(['inspect', bundle])).stdout).toContain(
      'not verified (--verification-key verifies it); ES256, key k1',
    );
    const verify = (key: string) =>
      runCli(['inspect', bundle, '--verification-key', join(root, key), '--signing-alg', 'ES256']);
    const good = await verify('ours.pub');
    expect(good).toMatchObject({ code: 0, stdout: expect.stringMatching(/^signature {5}verified; ES256/m) });
    const bad = await verify('other.pub');
    expect(bad).toMatchObject({ code: 2, stdout: expect.stringContaining('NOT VALID: ') });
    expect((await verify('ours.key')).stderr).toMatch(/^--verification-key: .* holds a private key/);
  });

  test('ends with 2 for a bundle without a signature where a key is given', async () => {
    const root = await folder();
    await keyPair(root, 'ours');
    const bundle = await built(root);
    const { code, stdout } = await runCli([
      ...['inspect', bundle, '--verification-key', join(root, 'ours.pub'), '--signing-alg', 'ES256'],
    ]);
    expect(code).toBe(2);
    expect(stdout).toContain('NOT VALID: the bundle has no .signatures.json');
  });

  test('looks into a folder, and compiles it where an entrypoint is asked for', async () => {
    const root = await folder();
    const source = join(root, 'src');
    expect(await inspect(source)).toMatchObject({
      kind: 'folder',
      files: [{ path: 'mesh/authz.rego' }, { path: 'mesh/data.json' }],
    });
    expect((await runCli(['inspect', source])).stdout).toContain('entrypoints   not compiled');
    const { wasm } = await inspect(source, ['-e', 'mesh/authz/decision']);
    expect(wasm!.builtins).toEqual([{ name: 'time.now_ns', here: true }]);
  });

  test('says what is no bundle', async () => {
    const root = await folderOf({ 'not.tar.gz': 'text' });
    const { code, stderr } = await runCli(['inspect', join(root, 'not.tar.gz')]);
    expect(code).toBe(2);
    expect(stderr).toContain('not.tar.gz: the bundle is not a gzipped tar archive');
    expect(await runCli(['inspect', join(root, 'nowhere')])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('cannot be read (ENOENT)'),
    });
  });
});
