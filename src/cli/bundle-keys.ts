import { createPublicKey, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { BundleConfig, Config } from '../config/schema.js';
import type { Verification, VerificationKey } from '../policy/signature.js';
import { Failure } from './failure.js';

type Keys = NonNullable<Config['policy']['keys']>;

/** @throws Failure that names the key which cannot be read, or is not one for its algorithm */
export async function readVerificationKeys(keys: Keys = {}): Promise<ReadonlyMap<string, VerificationKey>> {
  const read = Object.entries(keys).map(async ([id, { algorithm, key: path, scope }]) => {
    const fail = (what: string) => new Failure(`policy.keys.${id}: ${path} ${what}`);
    const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
      throw fail(`cannot be read (${error.code})`);
    });
    const key = algorithm.startsWith('HS')
      ? secretOf(bytes, algorithm, fail)
      : publicKeyOf(bytes, algorithm, fail);
    return [id, { algorithm, key, ...(scope !== undefined && { scope }) }] as const;
  });
  return new Map(await Promise.all(read));
}

/** How one bundle is verified; `none` where nothing says that it is. */
export function verificationOf(
  { signing }: Pick<BundleConfig, 'signing'>,
  keys: ReadonlyMap<string, VerificationKey>,
): Verification | 'none' {
  if (signing === undefined) return 'none';
  const { keyid, scope, exclude_files: exclude } = signing;
  return {
    keys,
    exclude,
    ...(keyid !== undefined && { keyId: keyid }),
    ...(scope !== undefined && { scope }),
  };
}

type Fail = (what: string) => Failure;

/** RFC 7518 section 3.2: at least as long as the digest. */
export function secretOf(bytes: Buffer, algorithm: string, fail: Fail): Uint8Array {
  if (bytes.byteLength * 8 < Number(algorithm.slice(2)))
    throw fail(`is too short a secret for ${algorithm} (RFC 7518 section 3.2)`);
  return bytes;
}

function publicKeyOf(bytes: Buffer, algorithm: string, fail: Fail): KeyObject {
  const text = bytes.toString('utf8');
  // Node would take the public half of it, and the private one would lie where only the other is needed.
  if (text.includes('PRIVATE KEY')) throw fail('holds a private key; write the public one there');
  let key: KeyObject;
  try {
    key = createPublicKey(text);
  } catch {
    throw fail('holds neither a public key nor a certificate in PEM');
  }
  if (!suits(key, algorithm)) throw fail(`is not a key for ${algorithm}`);
  return key;
}

const CURVES: { readonly [algorithm: string]: string } = {
  ES256: 'prime256v1',
  ES384: 'secp384r1',
  ES512: 'secp521r1',
};

/** Whether a key is one for the algorithm (RFC 7518 section 3.1, RFC 8037). */
export function suits(
  { asymmetricKeyType: type, asymmetricKeyDetails: details }: KeyObject,
  algorithm: string,
): boolean {
  if (algorithm === 'EdDSA') return type === 'ed25519';
  if (algorithm.startsWith('ES')) return type === 'ec' && details?.namedCurve === CURVES[algorithm];
  return type === 'rsa' && (details?.modulusLength ?? 0) >= 2048;
}
