import { randomBytes } from 'node:crypto';
import { createNonces } from '../../src/token/nonces.js';
import { NOW } from './support.js';

const LIFETIME = 60_000;
const nonces = (...secrets: readonly Buffer[]) =>
  createNonces({ secrets: () => secrets, lifetime: LIFETIME });
const [a, b] = [randomBytes(32), randomBytes(32)];

describe('a nonce', () => {
  test('tells when it was made, to whoever has the secret, until it is too old', () => {
    const nonce = nonces(a).current(NOW)!;
    const others = nonces(b, a);
    expect(others.madeAt(nonce, NOW)).toBe(NOW);
    expect(others.madeAt(nonce, NOW + LIFETIME - 1)).toBe(NOW);
    expect(others.madeAt(nonce, NOW + LIFETIME)).toBeUndefined();
    expect(nonces(b).madeAt(nonce, NOW)).toBeUndefined();
  });

  test('is taken after the secret changed, as long as the old one is known', () => {
    const secrets = [a];
    const own = createNonces({ secrets: () => secrets, lifetime: LIFETIME });
    const before = own.current(NOW)!;
    secrets.unshift(b);
    expect(own.current(NOW)).not.toBe(before);
    expect(own.madeAt(before, NOW)).toBe(NOW);
    secrets.pop();
    expect(own.madeAt(before, NOW)).toBeUndefined();
  });

  test('can be made by nobody else', () => {
    const { current, madeAt } = nonces(a);
    const nonce = current(NOW)!;
    const bytes = Buffer.from(nonce, 'base64url');
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      expect(madeAt(changed.toString('base64url'), NOW)).toBeUndefined();
    }
    for (const other of ['', `${nonce}=`, ` ${nonce}`, nonce.slice(1), `${nonce}AA`, 'nonce'])
      expect(madeAt(other, NOW)).toBeUndefined();
  });

  test('is not there while there is no secret', () => {
    expect(nonces().current(NOW)).toBeUndefined();
    expect(nonces().madeAt(nonces(a).current(NOW)!, NOW)).toBeUndefined();
  });

  test('is one that a header and a quoted string can hold', () => {
    expect(nonces(a).current(NOW)).toMatch(/^[A-Za-z0-9_-]{30}$/);
  });
});
