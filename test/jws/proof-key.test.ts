import { randomBytes } from 'node:crypto';
import { readProofKey } from '../../src/jws/proof-key.js';

/** It only has to look like a modulus: nothing is signed with it. */
function rsaKey(bits: number, exponent: string) {
  const modulus = randomBytes(bits / 8);
  modulus[0]! |= 0x80;
  modulus[modulus.length - 1]! |= 1;
  return { kty: 'RSA', n: modulus.toString('base64url'), e: exponent };
}

const opened = (bits: number, exponent: string) => {
  const key = readProofKey(rsaKey(bits, exponent), 'RS256');
  return typeof key === 'string' ? key : key.open() !== undefined;
};

describe('a key that its holder sends along', () => {
  test('may be RSA of up to 4096 bits with an exponent of up to 65537', () => {
    expect(opened(2048, 'AQAB')).toBe(true);
    expect(opened(4096, 'Aw')).toBe(true);
  });

  test('is refused where verifying with it would cost milliseconds', () => {
    expect(opened(8192, 'AQAB')).toBe(false);
    expect(opened(2048, Buffer.from([0x7f, 0xff, 0xff, 0xff]).toString('base64url'))).toBe(false);
  });

  test('is refused where it is too weak', () => {
    expect(opened(1024, 'AQAB')).toBe(false);
  });
});
