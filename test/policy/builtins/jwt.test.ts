import { LimitError } from '../../../src/policy/builtins/limit.js';
import { createHmac, generateKeyPairSync, sign, constants, type KeyObject } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { call, failure } from './context.js';

const SECRET = 'not so secret, since minted here';
const RSA = generateKeyPairSync('rsa', { modulusLength: 2048 });
const OTHER = generateKeyPairSync('rsa', { modulusLength: 2048 });
const P256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ED = generateKeyPairSync('ed25519');
const REFUSED = [false, {}, {}];

const base64 = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

function hs256(header: unknown, payload: unknown): string {
  const data = `${base64(header)}.${base64(payload)}`;
  return `${data}.${createHmac('sha256', SECRET).update(data).digest('base64url')}`;
}

function signed(header: { alg: string; kid?: string }, payload: unknown, key: KeyObject): string {
  const data = `${base64(header)}.${base64(payload)}`;
  const pss = header.alg.startsWith('PS') && {
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
  };
  const hash = header.alg === 'EdDSA' ? null : `sha${header.alg.slice(2)}`;
  const signature = sign(hash, Buffer.from(data), { key, dsaEncoding: 'ieee-p1363', ...pss });
  return `${data}.${signature.toString('base64url')}`;
}

const pem = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' });
const jwk = (key: KeyObject, members: object = {}) => ({ ...key.export({ format: 'jwk' }), ...members });
const set = (...keys: object[]) => JSON.stringify({ keys });

describe('io.jwt.decode', () => {
  it('gives header, payload and the signature in hex, unverified', () => {
    const token = `${base64({ alg: 'none' })}.${base64({ a: 1 })}.${Buffer.from('sig').toString('base64url')}`;
    expect(call('io.jwt.decode', token)).toEqual([{ alg: 'none' }, { a: 1 }, '736967']);
  });

  it('keeps numbers exact, and of members that repeat the last', () => {
    const token = `${base64('{"alg":"x","alg":"y"}')}.${base64('{"id":12345678901234567890}')}.`;
    expect(call('io.jwt.decode', token)).toEqual([{ alg: 'y' }, { id: 12345678901234567890n }, '']);
  });

  it('goes into a token in a token, quoted or not', () => {
    const inner = hs256({ alg: 'HS256' }, { deep: true });
    for (const payload of [inner, `"${inner}"`]) {
      const [, claims] = call('io.jwt.decode', hs256({ alg: 'HS256', cty: 'JWT' }, payload)) as unknown[];
      expect(claims).toEqual({ deep: true });
    }
  });

  it('stops at 16 tokens within each other', () => {
    let token = hs256({ alg: 'HS256' }, {});
    for (let i = 0; i < 16; i++) token = hs256({ alg: 'HS256', cty: 'JWT' }, token);
    expect(() => call('io.jwt.decode', token)).toThrow(new LimitError('JWTs are nested deeper than 16'));
  });

  it.each([
    ['nodots', 'encoded JWT had no period separators'],
    ['a.b', 'encoded JWT must have 3 sections, found 2'],
    ['.'.repeat(9), 'encoded JWT must have 3 sections, found 10'],
    [`${base64({})}.=.`, 'JWT payload had invalid encoding: illegal base64 data at input byte 0'],
    [`${base64({ enc: 'A128GCM' })}.x.y`, 'JWT is a JWE object, which is not supported'],
    [`${base64('[]')}.x.y`, 'bad JWT header: decoded JSON type was not an Object'],
  ])('refuses %j', (token, message) => {
    expect(failure('io.jwt.decode', token)).toBe(message);
  });
});

describe('io.jwt.verify_*', () => {
  it.each(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'])('%s', (alg) => {
    const name = `io.jwt.verify_${alg.toLowerCase()}`;
    const token = signed({ alg }, {}, RSA.privateKey);
    expect(call(name, token, pem(RSA.publicKey))).toBe(true);
    expect(call(name, token, pem(OTHER.publicKey))).toBe(false);
    expect(call(name, token, pem(P256.publicKey))).toBe(false);
  });

  it('ES256 and EdDSA', () => {
    expect(
      call('io.jwt.verify_es256', signed({ alg: 'ES256' }, {}, P256.privateKey), pem(P256.publicKey)),
    ).toBe(true);
    expect(call('io.jwt.verify_eddsa', signed({ alg: 'EdDSA' }, {}, ED.privateKey), pem(ED.publicKey))).toBe(
      true,
    );
    expect(call('io.jwt.verify_es256', signed({ alg: 'EdDSA' }, {}, ED.privateKey), pem(ED.publicKey))).toBe(
      false,
    );
  });

  it('HS256 by the secret, and no other', () => {
    const token = hs256({ alg: 'HS256' }, {});
    expect(call('io.jwt.verify_hs256', token, SECRET)).toBe(true);
    expect(call('io.jwt.verify_hs256', token, `${SECRET}!`)).toBe(false);
    expect(call('io.jwt.verify_hs512', token, SECRET)).toBe(false);
  });

  it('goes by kid alone where a key has it, and passes over keys of another algorithm', () => {
    const token = signed({ alg: 'RS256', kid: 'a' }, {}, RSA.privateKey);
    const verify = (...keys: object[]) => call('io.jwt.verify_rs256', token, set(...keys));
    expect(verify(jwk(OTHER.publicKey), jwk(RSA.publicKey))).toBe(true);
    expect(verify(jwk(OTHER.publicKey, { kid: 'a' }), jwk(RSA.publicKey))).toBe(false);
    expect(verify(jwk(RSA.publicKey, { alg: 'RS512' }))).toBe(false);
    expect(verify(jwk(RSA.publicKey, { alg: 'RSA-OAEP' }))).toBe(false);
    expect(verify()).toBe(false);
  });

  it('refuses a key set with one malformed key, and never quotes it', () => {
    const token = signed({ alg: 'RS256' }, {}, RSA.privateKey);
    for (const bad of [
      { kty: 'NEW' },
      { kty: 'oct' },
      jwk(RSA.publicKey, { alg: 'x' }),
      jwk(RSA.publicKey, { x5c: ['?'] }),
    ]) {
      expect(failure('io.jwt.verify_rs256', token, set(jwk(RSA.publicKey), bad))).toBe(
        'failed to parse a JWK key (set)',
      );
    }
    expect(failure('io.jwt.verify_rs256', token, `${pem(RSA.publicKey)}x`)).toBe(
      'extra data after a PEM certificate block',
    );
    expect(
      failure('io.jwt.verify_rs256', token, RSA.privateKey.export({ type: 'pkcs8', format: 'pem' })),
    ).toBe('failed to extract a Key from the PEM certificate');
  });

  it('refuses RSA keys below 1024 bits', () => {
    const weak = generateKeyPairSync('rsa', { modulusLength: 768 });
    const token = signed({ alg: 'RS256' }, {}, weak.privateKey);
    expect(call('io.jwt.verify_rs256', token, pem(weak.publicKey))).toBe(false);
  });
});

describe('io.jwt.decode_verify', () => {
  const verify = (payload: unknown, constraints: object = {}, header: object = { alg: 'HS256' }) =>
    call('io.jwt.decode_verify', hs256(header, payload), { secret: SECRET, ...constraints });

  it('gives true, header and payload', () => {
    expect(verify({ sub: 'a' })).toEqual([true, { alg: 'HS256' }, { sub: 'a' }]);
    const token = signed({ alg: 'PS384' }, {}, RSA.privateKey);
    expect(call('io.jwt.decode_verify', token, { cert: set(jwk(RSA.publicKey)) })).toEqual([
      true,
      { alg: 'PS384' },
      {},
    ]);
  });

  it('never takes a public key for an HMAC secret', () => {
    const token = hs256({ alg: 'HS256' }, {});
    expect(call('io.jwt.decode_verify', token, { cert: pem(RSA.publicKey) })).toEqual(REFUSED);
  });

  it.each([
    ['another issuer', { iss: 'a' }, { iss: 'b' }],
    ['no issuer', {}, { iss: 'b' }],
    ['an audience that nobody expects', { aud: 'a' }, {}],
    ['another audience', { aud: ['a', 'b'] }, { aud: 'c' }],
    ['no audience', {}, { aud: 'c' }],
    ['expiry at this very moment', { exp: 1000 }, { time: 1000e9 }],
    ['its time not come', { nbf: 1000.5 }, { time: 1000e9 }],
    ['its time over now', { exp: 1_764_000_000 }, {}],
    ['another algorithm', {}, { alg: 'HS512' }],
    ['another secret', {}, { secret: 'x' }],
  ])('refuses %s', (_, payload, constraints) => {
    expect(verify(payload, constraints)).toEqual(REFUSED);
  });

  it('refuses a critical parameter that it does not know, and no algorithm', () => {
    expect(verify({}, {}, { alg: 'HS256', crit: ['b64'], b64: false })).toEqual(REFUSED);
    expect(verify({}, {}, { alg: 'none' })).toEqual(REFUSED);
    expect(verify({}, {}, { alg: '' })).toEqual(REFUSED);
  });

  it.each([
    [{ exp: 'x' }, {}, 'exp value must be a number'],
    [{ nbf: null }, {}, 'nbf value must be a number'],
    [{}, { secret: '' }, 'no key constraint'],
    [{}, { cert: set() }, 'duplicate key constraints'],
    [{}, { time: -1 }, 'token time constraint: must not be negative'],
    [{}, { audience: 'x' }, 'unknown token validation constraint: audience'],
    [{ iss: 1 }, { iss: 'x' }, 'iss value must be a string'],
  ])('fails for %j with %j', (payload, constraints, message) => {
    const token = hs256({ alg: 'HS256' }, payload);
    expect(failure('io.jwt.decode_verify', token, { secret: SECRET, ...constraints })).toBe(message);
  });

  it('verifies each token of those within each other', () => {
    const inner = hs256({ alg: 'HS256' }, { deep: true });
    expect(verify(inner, {}, { alg: 'HS256', cty: 'jwt' })).toEqual([true, { alg: 'HS256' }, { deep: true }]);
    expect(verify(`${inner}A`, {}, { alg: 'HS256', cty: 'jwt' })).toEqual(REFUSED);
  });
});

describe('io.jwt.encode_sign', () => {
  const oct = { kty: 'oct', k: base64(SECRET) };

  it('writes the JSON that Go writes, and signs it', () => {
    const header = { typ: 'JWT', alg: 'HS256' };
    expect(call('io.jwt.encode_sign', header, { b: '<&>', a: 1 }, oct)).toBe(
      hs256('{"alg":"HS256","typ":"JWT"}', '{"a":1,"b":"\\u003c\\u0026\\u003e"}'),
    );
  });

  it.each([
    ['RS256', RSA],
    ['PS256', RSA],
    ['ES256', P256],
    ['EdDSA', ED],
  ])('signs by %s what its own verification takes', (alg, { privateKey, publicKey }) => {
    const token = call('io.jwt.encode_sign', { alg }, { a: 1 }, jwk(privateKey));
    expect(call('io.jwt.decode_verify', token, { cert: pem(publicKey) })).toEqual([true, { alg }, { a: 1 }]);
  });

  it('computes what an RSA key may leave out', () => {
    const { dp: _dp, dq: _dq, qi: _qi, ...key } = RSA.privateKey.export({ format: 'jwk' });
    const token = call('io.jwt.encode_sign', { alg: 'RS256' }, {}, key);
    expect(call('io.jwt.verify_rs256', token, pem(RSA.publicKey))).toBe(true);
  });

  it('signs raw texts as they are, JSON or not', () => {
    const raw = (header: string, payload: string) =>
      call('io.jwt.encode_sign_raw', header, payload, JSON.stringify(oct));
    expect(raw('{ "alg":"HS256", "typ":"text" }', 'plain')).toBe(
      hs256('{ "alg":"HS256", "typ":"text" }', 'plain'),
    );
  });

  it.each([
    ['{', '{}', "missing or invalid 'alg' header: cannot parse JSON"],
    ['{}', '{}', 'missing or invalid \'alg\' header: jwsbb: header "alg" not found'],
    ['{"alg":"none"}', '{}', 'unknown JWS algorithm: none'],
    ['{"alg":"HS256","typ":"JWT"}', 'x', 'type is JWT but payload is not JSON'],
    ['{"alg":"RS256"}', '{}', 'invalid key type: a private key of type rsa is required'],
  ])('refuses %s with %s', (header, payload, message) => {
    expect(failure('io.jwt.encode_sign_raw', header, payload, JSON.stringify(oct))).toBe(message);
  });

  it('takes no public key, and no key of another kind', () => {
    expect(failure('io.jwt.encode_sign', { alg: 'RS256' }, {}, jwk(RSA.publicKey))).toMatch(/a private key/);
    expect(failure('io.jwt.encode_sign', { alg: 'HS256' }, {}, jwk(ED.publicKey))).toMatch(/octet sequence/);
  });
});
