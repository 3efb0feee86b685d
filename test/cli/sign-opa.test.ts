import { createPublicKey, generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compileFolder } from '../../src/cli/build.js';
import { signArchive } from '../../src/cli/sign.js';
import { isRefusal } from '../../src/errors/refusal.js';
import { openBundle } from '../../src/policy/bundle.js';
import { packBundle, unpackBundle } from '../../src/policy/bundle-archive.js';
import type { Verification } from '../../src/policy/signature.js';
import { describeOpa, opa } from '../support/opa.js';

const NOW = Date.UTC(2030, 0, 1);
const ENTRYPOINT = 'mesh/authz/decision';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const p521 = generateKeyPairSync('ec', { namedCurve: 'P-521' });
const secret = randomBytes(32).toString('hex');

type Pair = readonly [algorithm: string, privateKey: KeyObject | string];
const PAIRS: readonly Pair[] = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'].map((name) => [name, rsa.privateKey] as const),
  ['ES256', p256.privateKey],
  ['ES384', p384.privateKey],
  ['ES512', p521.privateKey],
  ['HS256', secret],
];

/** What makes canonical JSON hard: numbers by their text, escapes, order of names beyond ASCII, nesting. */
const DATA =
  '{"z": 1.0, "a": [1e3, -0, 12345678901234567890, {"b": null, "A": true}], "\\u00e9": "<&>\\u2028\\u007f\\b\\f\\t/", "\\ud83d\\ude00": 1, "\\uffee": 2}';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'countersign-opa-'));
  await write('policies/mesh/authz.rego', 'package mesh.authz\n\ndecision := data.n.z == input.z\n');
  await write('policies/n/data.json', DATA);
  await write('policies/y/data.yaml', 'b: [1, 2.5, "x"]\na: { c: ~, "~d": yes }\n');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function write(path: string, content: string | Uint8Array): Promise<string> {
  await mkdir(join(folder, path, '..'), { recursive: true });
  await writeFile(join(folder, path), content);
  return join(folder, path);
}

function verification([algorithm, key]: Pair, extra: Partial<Verification> = {}): Verification {
  const publicKey = typeof key === 'string' ? Buffer.from(key) : createPublicKey(key);
  return { keys: new Map([['k', { algorithm, key: publicKey }]]), keyId: 'k', exclude: [], ...extra };
}

async function keyFiles([, key]: Pair): Promise<{ readonly secretKey: string; readonly publicKey: string }> {
  if (typeof key === 'string') return { secretKey: key, publicKey: key };
  return {
    secretKey: await write('key.pem', key.export({ type: 'pkcs8', format: 'pem' })),
    publicKey: await write('pub.pem', createPublicKey(key).export({ type: 'spki', format: 'pem' })),
  };
}

/** opa as a consumer: it builds a bundle of a bundle whose signature it verified. */
function opaAccepts(bundle: string, [algorithm]: Pair, publicKey: string) {
  return opa(
    [
      'build',
      '-b',
      bundle,
      '-o',
      'copy.tar.gz',
      '--verification-key',
      publicKey,
      '--verification-key-id',
      'k',
      '--signing-alg',
      algorithm,
    ],
    folder,
  );
}

describeOpa('bundle signatures beside the real opa', () => {
  test.each(PAIRS)('with %s are accepted by each of what the other wrote', async (...pair: Pair) => {
    const [algorithm, key] = pair;
    const { secretKey, publicKey } = await keyFiles(pair);

    const compiled = await compileFolder(join(folder, 'policies'), [ENTRYPOINT], 'r1');
    const signing = { algorithm, key: typeof key === 'string' ? Buffer.from(key) : key };
    const ours = await signArchive(compiled.bundle, signing);
    expect(await openBundle(ours, { verification: verification(pair), now: NOW })).toMatchObject({
      revision: 'r1',
    });
    expect(await opaAccepts(await write('ours.tar.gz', ours), pair, publicKey)).toMatchObject({ code: 0 });

    const built = await opa(
      [
        'build',
        '-b',
        'policies',
        '-t',
        'wasm',
        '-e',
        ENTRYPOINT,
        '-r',
        'r2',
        '-o',
        'theirs.tar.gz',
        '--signing-key',
        secretKey,
        '--signing-alg',
        algorithm,
      ],
      folder,
    );
    expect(built).toMatchObject({ code: 0 });
    const theirs = await readFile(join(folder, 'theirs.tar.gz'));
    expect(await openBundle(theirs, { verification: verification(pair), now: NOW })).toMatchObject({
      revision: 'r2',
    });
  });

  test('of files whose content counts, not its form, agree on what that content is', async () => {
    const pair = PAIRS[0]!;
    const { secretKey, publicKey } = await keyFiles(pair);
    // As it lies in the folder, with white space, order and numbers of its own.
    expect(
      await opa(['sign', '--bundle', '.', '--signing-key', secretKey, '-o', '..'], join(folder, 'policies')),
    ).toMatchObject({ code: 0 });
    const files: [string, Uint8Array][] = [];
    for (const path of ['mesh/authz.rego', 'n/data.json', 'y/data.yaml'])
      files.push([path, await readFile(join(folder, 'policies', path))]);
    files.push(['.signatures.json', await readFile(join(folder, '.signatures.json'))]);
    const packed = await packBundle(files);
    expect(await openBundle(packed, { verification: verification(pair), now: NOW })).toMatchObject({
      rego: [{ path: 'mesh/authz.rego' }],
    });

    const ours = await signArchive(await packBundle(files.slice(0, 3)), {
      algorithm: pair[0],
      key: pair[1] as KeyObject,
    });
    expect(await opaAccepts(await write('ours.tar.gz', ours), pair, publicKey)).toMatchObject({ code: 0 });
  });

  test('trap 99: a file that was changed, added or taken away is refused by both', async () => {
    const pair = PAIRS[6]!;
    const { publicKey } = await keyFiles(pair);
    const compiled = await compileFolder(join(folder, 'policies'), [ENTRYPOINT]);
    const signed = await signArchive(compiled.bundle, { algorithm: pair[0], key: pair[1] as KeyObject });
    const files = await unpackBundle(signed, Infinity);
    if (isRefusal(files)) throw new Error(files.detail);
    const spoilt = {
      bundle_file_changed: new Map([...files, ['data.json', Buffer.from('{"n":{"z":2}}')]] as const),
      bundle_file_unsigned: new Map([...files, ['evil/data.json', Buffer.from('{"x":1}')]] as const),
      bundle_file_missing: new Map([...files].filter(([name]) => name !== 'data.json')),
    };
    for (const [code, changed] of Object.entries(spoilt)) {
      const bytes = await packBundle(changed);
      expect(await openBundle(bytes, { verification: verification(pair), now: NOW })).toMatchObject({ code });
      expect((await opaAccepts(await write('spoilt.tar.gz', bytes), pair, publicKey)).code).not.toBe(0);
    }
  });

  test('with a scope and a key id from claims are accepted by opa as by us', async () => {
    const pair = PAIRS[0]!;
    const { publicKey } = await keyFiles(pair);
    const compiled = await compileFolder(join(folder, 'policies'), [ENTRYPOINT]);
    const signing = { algorithm: pair[0], key: pair[1] as KeyObject, claims: { scope: 'mesh', keyid: 'k' } };
    const bytes = await signArchive(compiled.bundle, signing);
    const { keys } = verification(pair);
    const scoped = { keys, exclude: [], scope: 'mesh' };
    expect(await openBundle(bytes, { verification: scoped, now: NOW })).toHaveProperty('wasm');
    expect(await openBundle(bytes, { verification: verification(pair), now: NOW })).toMatchObject({
      code: 'bundle_scope_mismatch',
    });
    const path = await write('scoped.tar.gz', bytes);
    expect((await opaAccepts(path, pair, publicKey)).output).toContain('scope mismatch');
    const args = [
      'build',
      '-b',
      path,
      '--verification-key',
      publicKey,
      '--verification-key-id',
      'k',
      '--scope',
      'mesh',
    ];
    expect(await opa(args, folder)).toMatchObject({ code: 0 });
  });
});
