import { X509Certificate, createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { BuiltinError } from './builtin.js';
import { JWS_ALGORITHMS } from './jws.js';
import { parseJwks, type Jwk } from './jwk.js';
import { isKnownKey } from './key-values.js';
import { nextPem } from './pem-blocks.js';

/** By the hash of the PEM text; {@link parseJwks} keeps its own. */
const fromPem = new LRUCache<string, readonly Jwk[]>({ max: 100 });

/**
 * The keys that a signature may be verified by: that of a certificate or a public key in PEM, or those of a
 * JWK set but for the ones whose algorithm signs no tokens.
 *
 * @throws BuiltinError
 */
export function verificationKeys(text: string): readonly Jwk[] {
  const { block, rest } = nextPem(text);
  if (block === undefined) {
    return parseJwks(text).filter(({ algorithm }) => algorithm === '' || JWS_ALGORITHMS.has(algorithm));
  }
  if (rest !== '') throw new BuiltinError('extra data after a PEM certificate block');
  const hash = createHash('sha256').update(text).digest('base64');
  const known = fromPem.get(hash);
  if (known !== undefined) return known;
  const keys = [{ algorithm: '', id: '', key: readKey(block.label, block.bytes) }];
  fromPem.set(hash, keys);
  return keys;
}

function readKey(label: string, der: Buffer): KeyObject {
  if (label === 'CERTIFICATE') {
    return attempt('failed to parse a PEM certificate', () => new X509Certificate(der).publicKey);
  }
  if (label !== 'PUBLIC KEY') throw new BuiltinError('failed to extract a Key from the PEM certificate');
  const fault = 'failed to parse a PEM public key';
  const key = attempt(fault, () => createPublicKey({ key: der, format: 'der', type: 'spki' }));
  if (!isKnownKey(key)) throw new BuiltinError(fault);
  return key;
}

function attempt<T>(fault: string, read: () => T): T {
  try {
    return read();
  } catch {
    throw new BuiltinError(fault);
  }
}

/**
 * Tries a signature by the rules of OPA: the key with the token's `kid` alone where there is one; else every key
 * whose algorithm is the token's, or that names none.
 */
export function verifiedByAny(
  keys: readonly Jwk[],
  header: { readonly kid: string; readonly alg: string },
  verify: (key: KeyObject) => boolean,
): boolean {
  const named = header.kid === '' ? undefined : keys.find(({ id }) => id === header.kid);
  if (named !== undefined) return verify(named.key);
  return keys.some(({ algorithm, key }) => (algorithm === '' || algorithm === header.alg) && verify(key));
}
