import { parseKeySet } from '../../src/jws/key-set.js';
import { sameAlgorithm, suits } from '../../src/jws/algorithms.js';
import { TestKey, jwks, keySet } from '../token/support.js';
import { generateKeyPairSync } from 'node:crypto';

const ec = await TestKey.create('e1');
const ec384 = await TestKey.create('e2', 'ES384');
const rsa = await TestKey.create('r1', 'RS256');
const edwards = await TestKey.create('d1', 'Ed25519');

const ids = async (text: string) => (await parseKeySet(text)).keys.map(({ keyId }) => keyId);

describe('a JWK Set', () => {
  test('holds the keys that can verify, in its order', async () => {
    expect(await ids(jwks(rsa, ec, edwards, ec384))).toEqual(['r1', 'e1', 'd1', 'e2']);
    expect(await ids('{"keys":[]}')).toEqual([]);
    expect(await ids(jwks(ec.published({ use: undefined, kid: undefined })))).toEqual([undefined]);
    expect(await ids(jwks(ec.published({ key_ops: ['verify'], x5c: ['AAAA'], unknown: 1 })))).toEqual(['e1']);
  });

  test.each([
    ['a symmetric one', { kty: 'oct', k: 'AAAA', alg: 'HS256' }],
    ['one for encryption', ec.published({ use: 'enc' })],
    ['one whose use is no string', ec.published({ use: ['sig'] })],
    ['one for signing alone', ec.published({ key_ops: ['sign'] })],
    ['one whose operations are no array', ec.published({ key_ops: 'verify' })],
    ['a private one', ec.published({ d: 'AAAA' })],
    ['a private RSA one', rsa.published({ p: 'AAAA' })],
    ['one of an unknown type', ec.published({ kty: 'AKP' })],
    ['one without a type', ec.published({ kty: undefined })],
    ['one without its point', ec.published({ x: undefined })],
    ['one whose point is no string', ec.published({ y: 7 })],
    ['one without its curve', ec.published({ crv: undefined })],
    ['one without its modulus', rsa.published({ n: undefined })],
    ['one without its exponent', rsa.published({ e: undefined })],
    ['one whose alg is no string', ec.published({ alg: ['ES256'] })],
    ['null', null],
    ['a string', 'key'],
    ['an array', [ec.published()]],
  ])('passes over %s', async (_, key) => {
    expect(await ids(JSON.stringify({ keys: [key, rsa.published()] }))).toEqual(['r1']);
  });

  test('passes over RSA under 2048 bits', async () => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
    expect(await ids(jwks({ ...publicKey.export({ format: 'jwk' }), kid: 'short' }, rsa))).toEqual(['r1']);
  });

  test('does not count zeros in front of an RSA modulus', async () => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
    const { n, ...key } = publicKey.export({ format: 'jwk' });
    const padded = Buffer.concat([Buffer.alloc(128), Buffer.from(n!, 'base64url')]).toString('base64url');
    expect(await ids(jwks({ ...key, n: padded, kid: 'padded' }, rsa))).toEqual(['r1']);
  });

  test.each([
    ['1, by which everything is signed', [1]],
    ['0', [0]],
    ['2', [2]],
    ['an even number', [1, 0, 0]],
    ['one of 256 bytes', Array<number>(256).fill(0xff)],
  ])('passes over RSA whose exponent is %s', async (_, bytes) => {
    const e = Buffer.from(bytes).toString('base64url');
    expect(await ids(jwks({ ...rsa.published({ e }), kid: 'odd' }, rsa))).toEqual(['r1']);
  });

  test.each([
    ['', 'not JSON'],
    ['<html>', 'not JSON'],
    ['{"keys":[]', 'not JSON'],
    ['{"keys":[],"keys":[]}', 'not JSON'],
    ['[]', 'not a JWK Set'],
    ['null', 'not a JWK Set'],
    ['{}', 'not a JWK Set'],
    ['{"keys":{}}', 'not a JWK Set'],
    ['{"keys":null}', 'not a JWK Set'],
    [JSON.stringify(ec.published()), 'not a JWK Set'],
  ])('is not what %j is', async (text, message) => {
    await expect(parseKeySet(text)).rejects.toThrow(new Error(message));
  });
});

describe('the candidates for a token', () => {
  const candidates = async (alg: string, keyId: string | undefined, ...keys: (TestKey | object)[]) =>
    (await keySet(...keys)).candidates(alg, keyId).map((key) => key.keyId);

  test('are the keys of its kid that suit its algorithm', async () => {
    const all = [ec, ec384, rsa, edwards];
    expect(await candidates('ES256', 'e1', ...all)).toEqual(['e1']);
    expect(await candidates('PS512', 'r1', ...all)).toEqual(['r1']);
    expect(await candidates('EdDSA', 'd1', ...all)).toEqual(['d1']);
    expect(await candidates('ES384', 'e1', ...all)).toEqual([]);
    expect(await candidates('RS256', 'e1', ...all)).toEqual([]);
    expect(await candidates('ES256', 'E1', ...all)).toEqual([]);
    expect(await candidates('ES256', '', ...all)).toEqual([]);
  });

  test('are all of one kid, where an issuer gave it twice', async () => {
    const twin = await TestKey.create('e1');
    expect(await candidates('ES256', 'e1', ec, twin)).toEqual(['e1', 'e1']);
  });

  test('are the only suitable key when there is no kid, and none when there are two', async () => {
    const twin = await TestKey.create('e9');
    expect(await candidates('ES256', undefined, rsa, ec)).toEqual(['e1']);
    expect(await candidates('ES256', undefined, ec, twin)).toEqual([]);
    expect(await candidates('ES256', undefined, ec, twin.published({ alg: 'ES512' }))).toEqual(['e1']);
  });

  test("obey the key's own alg", async () => {
    expect(await candidates('RS256', 'r1', rsa.published({ alg: 'RS256' }))).toEqual(['r1']);
    expect(await candidates('RS256', 'r1', rsa.published({ alg: 'RS512' }))).toEqual([]);
    expect(await candidates('RS256', 'r1', rsa.published({ alg: 'RSA-OAEP' }))).toEqual([]);
    expect(await candidates('Ed25519', 'd1', edwards.published({ alg: 'EdDSA' }))).toEqual(['d1']);
    expect(await candidates('EdDSA', 'd1', edwards.published({ alg: 'Ed25519' }))).toEqual(['d1']);
  });
});

describe('a key', () => {
  test('is the same under another kid, and another with another alg or value', async () => {
    const [key] = (await keySet(ec)).keys;
    const has = async (other: TestKey | object) => (await keySet(rsa, other)).has(key!);
    expect(await has(ec)).toBe(true);
    expect(await has(ec.published({ kid: 'renamed', use: undefined, x5t: 'x' }))).toBe(true);
    expect(await has(ec.published({ alg: 'ES256' }))).toBe(false);
    expect(await has((await TestKey.create('e1')).published())).toBe(false);
  });

  test('is known by its id alone, and any key will do where there is none', async () => {
    const set = await keySet(ec);
    expect([set.knows('e1'), set.knows('e2'), set.knows(undefined)]).toEqual([true, false, true]);
    expect((await keySet()).knows(undefined)).toBe(false);
  });
});

describe('an algorithm', () => {
  test.each([
    ['RS256', 'RSA', undefined, true],
    ['PS512', 'RSA', undefined, true],
    ['RS256', 'EC', 'P-256', false],
    ['ES256', 'EC', 'P-256', true],
    ['ES384', 'EC', 'P-384', true],
    ['ES512', 'EC', 'P-521', true],
    ['ES256', 'EC', 'P-384', false],
    ['ES256', 'EC', undefined, false],
    ['ES256', 'OKP', 'P-256', false],
    ['EdDSA', 'OKP', 'Ed25519', true],
    ['Ed25519', 'OKP', 'Ed25519', true],
    ['EdDSA', 'OKP', 'Ed448', false],
    ['EdDSA', 'OKP', 'X25519', false],
    ['ES256K', 'EC', 'secp256k1', false],
    ['HS256', 'RSA', undefined, false],
    ['HS256', 'OKP', undefined, false],
    ['none', 'RSA', undefined, false],
    ['', 'RSA', undefined, false],
  ])('%s and a key %s %s: %s', (alg, kty, crv, suitable) => {
    expect(suits(alg, kty, crv)).toBe(suitable);
  });

  test('has one other name at most', () => {
    expect(sameAlgorithm('EdDSA', 'Ed25519')).toBe(true);
    expect(sameAlgorithm('Ed25519', 'EdDSA')).toBe(true);
    expect(sameAlgorithm('RS256', 'RS256')).toBe(true);
    for (const other of ['RS256', 'ES256', 'eddsa', 'Ed448', '', '__proto__'])
      expect(sameAlgorithm('EdDSA', other)).toBe(false);
  });
});
