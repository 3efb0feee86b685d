import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { call, failure } from './context.js';

const pem = { type: 'pkcs8', format: 'pem' } as const;

describe('crypto digests', () => {
  it('are in hex, over the UTF-8 of the text', () => {
    expect(call('crypto.md5', 'ä')).toBe('8419b71c87a225a2c70b50486fbee545');
    expect(call('crypto.sha1', 'lorem ipsum')).toBe('bfb7759a67daeb65410490b4d98bb9da7d1ea2ce');
    expect(call('crypto.sha256', '')).toBe(
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    );
  });

  it('of HMAC agree with RFC 4231 section 4.3', () => {
    const message = 'what do ya want for nothing?';
    expect(call('crypto.hmac.md5', message, 'Jefe')).toBe('750c783e6ab0b503eaa86e310a5db738');
    expect(call('crypto.hmac.sha1', message, 'Jefe')).toBe('effcdf6ae5eb2fa2d27416d5f184df9c259a7c79');
    expect(call('crypto.hmac.sha256', message, 'Jefe')).toBe(
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    );
    expect(call('crypto.hmac.sha512', message, 'Jefe')).toMatch(
      /^164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd6/,
    );
  });

  it('are equal or not, also where their lengths differ', () => {
    expect(call('crypto.hmac.equal', 'ab', 'ab')).toBe(true);
    expect(call('crypto.hmac.equal', 'ab', 'ac')).toBe(false);
    expect(call('crypto.hmac.equal', 'ab', 'a')).toBe(false);
  });

  it('are of strings only', () => {
    expect(failure('crypto.sha256', 1)).toBe('operand 1 must be string but got number');
    expect(failure('crypto.hmac.sha256', 'a', null)).toBe('operand 2 must be string but got null');
  });
});

describe('crypto.parse_private_keys', () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey;
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

  it("gives each key's numbers exactly, as Go names them", () => {
    const [key] = call('crypto.parse_private_keys', rsa.export(pem)) as [Record<string, unknown>];
    const jwk = rsa.export({ format: 'jwk' });
    const integer = (text: string) => BigInt(`0x${Buffer.from(text, 'base64url').toString('hex')}`);
    expect(Object.keys(key)).toEqual(['D', 'E', 'N', 'Precomputed', 'Primes']);
    expect([key.N, key.D, key.E]).toEqual([integer(jwk.n!), integer(jwk.d!), 65537]);
    expect(key.Primes).toEqual([integer(jwk.p!), integer(jwk.q!)]);
  });

  it('finds them among other text, in the old formats, and in base64', () => {
    const text = `junk\n${rsa.export({ type: 'pkcs1', format: 'pem' })}${ec.export({ type: 'sec1', format: 'pem' })}`;
    expect(call('crypto.parse_private_keys', text)).toHaveLength(2);
    expect(call('crypto.parse_private_keys', Buffer.from(text).toString('base64'))).toHaveLength(2);
  });

  it('gives null for nothing and an empty array for text without a key', () => {
    expect(call('crypto.parse_private_keys', '')).toBeNull();
    expect(call('crypto.parse_private_keys', 'nope')).toEqual([]);
  });

  it('does not say what is in a key that it cannot read', () => {
    const secret = Buffer.from('not a key').toString('base64');
    const text = `-----BEGIN PRIVATE KEY-----\n${secret}\n-----END PRIVATE KEY-----\n`;
    expect(failure('crypto.parse_private_keys', text)).toBe('x509: failed to parse private key');
  });

  it('refuses what Go does not read either', () => {
    const ed448 = generateKeyPairSync('ed448').privateKey.export(pem);
    expect(failure('crypto.parse_private_keys', ed448)).toMatch(/unknown algorithm/);
  });

  it('takes time that grows with the text only', () => {
    const started = performance.now();
    call(
      'crypto.parse_private_keys',
      '-----BEGIN a-----\n'.repeat(50_000) + '-----END b-----\n'.repeat(50_000),
    );
    expect(performance.now() - started).toBeLessThan(2000);
  });
});
