import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { RegoValue } from '../value.js';
import { type Builtins, operand } from './builtin.js';
import { parsePrivateKeys } from './private-keys.js';

function digest(algorithm: string) {
  return (_: unknown, text: RegoValue) =>
    createHash(algorithm)
      .update(operand(text, 1, 'string'))
      .digest('hex');
}

function hmac(algorithm: string) {
  return (_: unknown, message: RegoValue, key: RegoValue) =>
    createHmac(algorithm, operand(key, 2, 'string'))
      .update(operand(message, 1, 'string'))
      .digest('hex');
}

/** In a time that depends on the lengths only. */
function equal(_: unknown, left: RegoValue, right: RegoValue): boolean {
  const a = Buffer.from(operand(left, 1, 'string'));
  const b = Buffer.from(operand(right, 2, 'string'));
  return a.length === b.length && timingSafeEqual(a, b);
}

/** crypto.hmac.*, crypto.md5, crypto.sha1, crypto.sha256, crypto.parse_private_keys */
export const CRYPTO: Builtins = {
  'crypto.hmac.equal': equal,
  'crypto.hmac.md5': hmac('md5'),
  'crypto.hmac.sha1': hmac('sha1'),
  'crypto.hmac.sha256': hmac('sha256'),
  'crypto.hmac.sha512': hmac('sha512'),
  'crypto.md5': digest('md5'),
  'crypto.parse_private_keys': parsePrivateKeys,
  'crypto.sha1': digest('sha1'),
  'crypto.sha256': digest('sha256'),
};
