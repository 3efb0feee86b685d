import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { CompactSign } from 'jose';
import { isRefusal } from '../../src/errors/refusal.js';
import { openBundle } from '../../src/policy/bundle.js';
import { packBundle } from '../../src/policy/bundle-archive.js';
import { signBundle, type SigningOptions, type Verification } from '../../src/policy/signature.js';
import { canonicalJson, fileDigest } from '../../src/policy/signature-hash.js';

const NOW = Date.UTC(2030, 0, 1);
const SECONDS = NOW / 1000;
const ours = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const foreign = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ed = generateKeyPairSync('ed25519');

const FILES = new Map<string, Uint8Array>([
  ['policy.wasm', Buffer.from('\0asm')],
  ['.manifest', Buffer.from('{"revision":"r1"}')],
  ['data.json', Buffer.from('{"a":1}')],
]);
const SIGNING: SigningOptions = { algorithm: 'ES256', key: ours.privateKey, keyId: 'k1' };
const VERIFICATION: Verification = {
  keys: new Map([
    ['k1', { algorithm: 'ES256', key: ours.publicKey }],
    ['ed', { algorithm: 'EdDSA', key: ed.publicKey }],
  ]),
  exclude: [],
};

async function bundle(
  signing: SigningOptions | undefined,
  files: ReadonlyMap<string, Uint8Array> = FILES,
  added: Iterable<readonly [string, string]> = [],
) {
  const signatures = signing && (await signBundle(files, signing));
  return packBundle([...files, ...added, ...(signatures ? [['.signatures.json', signatures] as const] : [])]);
}

async function verdict(
  bytes: Uint8Array,
  verification: Verification | 'none' = VERIFICATION,
): Promise<string> {
  const outcome = await openBundle(bytes, { verification, now: NOW });
  return isRefusal(outcome) ? outcome.code : 'taken';
}

/** A signature whose header and claims a test writes itself. */
async function handmade(claims: object, header: object = {}, key: KeyObject | Uint8Array = ours.privateKey) {
  const token = await new CompactSign(Buffer.from(JSON.stringify(claims)))
    .setProtectedHeader({ alg: 'ES256', kid: 'k1', ...header })
    .sign(key);
  return packBundle([...FILES, ['.signatures.json', JSON.stringify({ signatures: [token] })]]);
}
const listed = [...FILES].map(([name, content]) => ({
  name,
  hash: fileDigest(name, content),
  algorithm: 'SHA-256',
}));

describe('a signed bundle', () => {
  test('is taken where its key is configured', async () => {
    expect(await verdict(await bundle(SIGNING))).toBe('taken');
    expect(await verdict(await bundle({ algorithm: 'EdDSA', key: ed.privateKey, keyId: 'ed' }))).toBe(
      'taken',
    );
  });

  test('trap 98: is the only one that is taken where a signature is required', async () => {
    expect(await verdict(await bundle(undefined))).toBe('bundle_unsigned');
    expect(await verdict(await packBundle([...FILES, ['.signatures.json', '{}']]))).toBe(
      'bundle_signature_invalid',
    );
    expect(await verdict(await packBundle([...FILES, ['.signatures.json', '{"signatures":[]}']]))).toBe(
      'bundle_signature_invalid',
    );
    expect(await verdict(await packBundle([...FILES, ['a/.signatures.json', '{"signatures":["x"]}']]))).toBe(
      'bundle_unsigned',
    );
  });

  test('is refused where there is no key at all, as OPA does', async () => {
    expect(await verdict(await bundle(SIGNING), 'none')).toBe('bundle_signed');
    expect(await verdict(await bundle(undefined), 'none')).toBe('taken');
  });

  test('of a foreign key, under the name of ours or its own, is refused', async () => {
    expect(await verdict(await bundle({ ...SIGNING, key: foreign.privateKey }))).toBe(
      'bundle_signature_invalid',
    );
    expect(await verdict(await bundle({ ...SIGNING, key: foreign.privateKey, keyId: 'x' }))).toBe(
      'bundle_key_unknown',
    );
    const { keyId: _, ...nameless } = SIGNING;
    expect(await verdict(await bundle(nameless))).toBe('bundle_key_unknown');
    expect(await verdict(await bundle(nameless), { ...VERIFICATION, keyId: 'k1' })).toBe('taken');
  });

  test('is verified by the algorithm of the key alone', async () => {
    const pem = Buffer.from(ours.publicKey.export({ type: 'spki', format: 'pem' }));
    expect(await verdict(await handmade({ files: listed }, { alg: 'HS256' }, pem))).toBe(
      'bundle_signature_invalid',
    );
    const none = `${Buffer.from('{"alg":"none","kid":"k1"}').toString('base64url')}.${Buffer.from(JSON.stringify({ files: listed })).toString('base64url')}.`;
    expect(
      await verdict(
        await packBundle([...FILES, ['.signatures.json', JSON.stringify({ signatures: [none] })]]),
      ),
    ).toBe('bundle_signature_invalid');
  });

  test('counts for its scope and its time', async () => {
    const signed = (claims: object) => bundle({ ...SIGNING, claims: claims as never });
    const scoped = { ...VERIFICATION, scope: 'mesh' };
    expect(await verdict(await signed({ scope: 'mesh' }), scoped)).toBe('taken');
    expect(await verdict(await signed({ scope: 'other' }), scoped)).toBe('bundle_scope_mismatch');
    expect(await verdict(await signed({}), scoped)).toBe('bundle_scope_mismatch');
    expect(await verdict(await signed({ scope: 'mesh' }))).toBe('bundle_scope_mismatch');
    expect(await verdict(await signed({ exp: SECONDS + 1, nbf: SECONDS }))).toBe('taken');
    expect(await verdict(await signed({ exp: SECONDS }))).toBe('bundle_signature_expired');
    expect(await verdict(await signed({ nbf: SECONDS + 1 }))).toBe('bundle_signature_expired');
    expect(await verdict(await signed({ exp: '2030' }))).toBe('bundle_signature_invalid');
  });

  test('trap 99: with a file that the signature does not cover is refused, whatever the file is', async () => {
    for (const name of ['x/data.json', 'evil.rego', 'README.md', 'x/policy.wasm'])
      expect(await verdict(await bundle(SIGNING, FILES, [[name, '{}']]))).toBe('bundle_file_unsigned');
  });

  test('with a file changed or missing is refused', async () => {
    const signatures = await signBundle(FILES, SIGNING);
    const packed = (files: ReadonlyMap<string, Uint8Array>) =>
      packBundle([...files, ['.signatures.json', signatures]]);
    expect(await verdict(await packed(new Map([...FILES, ['policy.wasm', Buffer.from('\0asm2')]])))).toBe(
      'bundle_file_changed',
    );
    expect(await verdict(await packed(new Map([...FILES, ['data.json', Buffer.from('{ "a" : 1 }')]])))).toBe(
      'taken',
    );
    expect(await verdict(await packed(new Map([...FILES, ['data.json', Buffer.from('{"a":1.0}')]])))).toBe(
      'bundle_file_changed',
    );
    expect(await verdict(await packed(new Map([...FILES].slice(0, 2))))).toBe('bundle_file_missing');
  });

  test.each([
    ['a list that is none', { files: {} }],
    ['no list', {}],
    ['a file without a digest', { files: [{ name: 'a' }] }],
    ['a file twice', { files: [...listed, listed[0]] }],
    ['a weak digest', { files: listed.map((file) => ({ ...file, algorithm: 'MD5' })) }],
  ])('with %s is refused', async (_what, claims) =>
    expect(await verdict(await handmade(claims))).toBe('bundle_signature_invalid'),
  );

  test('may leave data out where the configuration says so, and never what decides', async () => {
    const exclude = ['teams/*', '*'];
    const verification = { ...VERIFICATION, exclude };
    expect(await verdict(await bundle(SIGNING, FILES, [['teams/data.json', '{}']]), verification)).toBe(
      'taken',
    );
    expect(await verdict(await bundle(SIGNING, FILES, [['teams/a/data.json', '{}']]), verification)).toBe(
      'bundle_file_unsigned',
    );
    expect(await verdict(await bundle(SIGNING, FILES, [['evil.rego', 'package x']]), verification)).toBe(
      'bundle_file_unsigned',
    );
  });

  test('that is a delta is refused, signed or not', async () => {
    expect(await verdict(await packBundle([['patch.json', '{}']]), 'none')).toBe('bundle_delta');
  });
});

describe('the canonical form of JSON', () => {
  test.each([
    ['{"b":1,"a":[ 1.0 , 1e3,-0 ]}', '{"a":[1.0,1e3,-0],"b":1}'],
    ['"\\u00e9\\/\\u2028"', '"é/\\u2028"'],
    ['{"\\uffee":1,"\\ud83d\\ude00":2}', '{"\uffee":1,"\u{1f600}":2}'],
    [' null ', 'null'],
  ])('of %s is %s', (text, canonical) => expect(canonicalJson(text)).toBe(canonical));

  test.each([
    '',
    '{',
    '{"a":1,"a":2}',
    '01',
    '1.',
    '"\n"',
    '[1,]',
    '{"a" 1}',
    '1 2',
    `${'['.repeat(300)}${']'.repeat(300)}`,
    '"\\x"',
  ])('is not to be had of %j', (text) => expect(() => canonicalJson(text)).toThrow());

  test('takes time linear in the text, and strings of megabytes', () => {
    const long = `"${'a\\n'.repeat(2_000_000)}"`;
    expect(canonicalJson(long)).toBe(long);
  });
});
