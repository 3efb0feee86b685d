import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { readVerificationKeys, verificationOf } from '../../src/cli/bundle-keys.js';
import { openBundle } from '../../src/policy/bundle.js';
import { packBundle } from '../../src/policy/bundle-archive.js';

const run = promisify(execFile);
const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const NOW = Date.UTC(2030, 0, 1);
const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'countersign-sign-'));
  await write('key.pem', keys.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string);
  await write('pub.pem', keys.publicKey.export({ type: 'spki', format: 'pem' }) as string);
  await write('policies/mesh/authz.rego', 'package mesh.authz\n\ndecision := true\n');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function write(path: string, content: string): Promise<void> {
  await mkdir(join(folder, path, '..'), { recursive: true });
  await writeFile(join(folder, path), content);
}

async function countersign(...args: string[]): Promise<{ code: number; stderr: string }> {
  const env = { ...process.env, NODE_OPTIONS: '' };
  try {
    return { code: 0, stderr: (await run(process.execPath, [MAIN, ...args], { cwd: folder, env })).stderr };
  } catch (error) {
    return error as { code: number; stderr: string };
  }
}

async function verified(bytes: Uint8Array) {
  const verification = verificationOf(
    { signing: { exclude_files: [] } },
    await readVerificationKeys({ k1: { algorithm: 'ES256', key: join(folder, 'pub.pem') } }),
  );
  return openBundle(bytes, { verification, now: NOW });
}

const KEY = ['--signing-key', 'key.pem', '--signing-alg', 'ES256', '--key-id', 'k1'];

describe('countersign build and sign', () => {
  test('sign a bundle at once, afterwards, and again', async () => {
    const build = ['build', 'policies', '-e', 'mesh/authz/decision', '-r', 'r1'];
    expect(await countersign(...build, ...KEY, '-o', 'one.tar.gz')).toMatchObject({ code: 0 });
    expect(await verified(await readFile(join(folder, 'one.tar.gz')))).toMatchObject({ revision: 'r1' });
    await countersign(...build, '-o', 'two.tar.gz');
    expect(await verified(await readFile(join(folder, 'two.tar.gz')))).toMatchObject({
      code: 'bundle_unsigned',
    });
    for (let times = 0; times < 2; times++) {
      expect(await countersign('sign', 'two.tar.gz', ...KEY)).toMatchObject({ code: 0 });
      expect(await verified(await readFile(join(folder, 'two.tar.gz')))).toMatchObject({ revision: 'r1' });
    }
  }, 60_000);

  test('sign a folder that will be a bundle', async () => {
    expect(await countersign('sign', 'policies', ...KEY)).toMatchObject({ code: 0 });
    const files = ['mesh/authz.rego', '.signatures.json'];
    const packed = await packBundle(
      await Promise.all(
        files.map(async (name) => [name, await readFile(join(folder, 'policies', name))] as const),
      ),
    );
    expect(await verified(packed)).toMatchObject({ rego: [{ path: 'mesh/authz.rego' }] });
  });

  test('say what is wrong, and leave what is there', async () => {
    await write('bundle.tar.gz', 'no bundle');
    await write('claims.json', '{"files": []}');
    for (const [args, told] of [
      [['sign', 'bundle.tar.gz'], '--signing-key: name the file of a private key'],
      [['sign', 'bundle.tar.gz', '--signing-key', 'pub.pem'], 'holds no private key in PEM'],
      [['sign', 'bundle.tar.gz', '--signing-key', 'key.pem'], 'is not a key for RS256; see --signing-alg'],
      [['sign', 'bundle.tar.gz', ...KEY, '--claims-file', 'claims.json'], '--claims-file: claims.json'],
      [['sign', 'bundle.tar.gz', ...KEY], 'not a gzipped tar archive'],
      [['sign', 'nowhere', ...KEY], 'nowhere cannot be read (ENOENT)'],
    ] as const) {
      const { code, stderr } = await countersign(...args);
      expect(stderr).toContain(told);
      expect(stderr).not.toMatch(/ at |BEGIN/);
      expect(code).toBeGreaterThan(0);
    }
    expect((await stat(join(folder, 'bundle.tar.gz'))).size).toBe(9);
  }, 60_000);
});

describe('a key of the configuration', () => {
  test.each([
    ['a private one', 'key.pem', 'ES256', 'holds a private key'],
    ['one for another algorithm', 'pub.pem', 'ES384', 'is not a key for ES384'],
    ['none', 'policies/mesh/authz.rego', 'ES256', 'holds neither a public key nor a certificate'],
    ['a short secret', 'policies/../short', 'HS256', 'is too short a secret for HS256'],
    ['one that is not there', 'nowhere', 'ES256', 'cannot be read (ENOENT)'],
  ] as const)('that is %s is refused', async (_what, path, algorithm, told) => {
    await write('short', 'short');
    await expect(readVerificationKeys({ k: { algorithm, key: join(folder, path) } })).rejects.toThrow(told);
  });
});
