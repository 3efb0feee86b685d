import { createPrivateKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { RegoObject, type RegoValue } from '../value.js';
import { BuiltinError, operand } from './builtin.js';
import { decodeBase64, tryDecodeBase64 } from './go-base64.js';
import { bytesOf, integerOf, isKnownKey } from './key-values.js';
import { nextPem } from './pem-blocks.js';

const FORMATS: { readonly [label: string]: 'pkcs1' | 'pkcs8' | 'sec1' } = {
  'RSA PRIVATE KEY': 'pkcs1',
  'PRIVATE KEY': 'pkcs8',
  'EC PRIVATE KEY': 'sec1',
};

/** crypto.parse_private_keys: every private key of a PEM text, or of one in base64, as Go's JSON has it. */
export function parsePrivateKeys(_: unknown, text: RegoValue): RegoValue {
  const pem = operand(text, 1, 'string');
  return pem === '' ? null : readKeys(pem).map(describePrivateKey);
}

/** crypto.x509.parse_rsa_private_key: the first private key of a PEM text, of whatever kind, as a JWK. */
export function parsePrivateKeyAsJwk(_: unknown, text: RegoValue): RegoValue {
  const pem = operand(text, 1, 'string');
  if (pem === '') throw new BuiltinError('input PEM data was empty');
  const [key] = readKeys(pem.startsWith('-----BEGIN') ? pem : decodeBase64(pem).toString('latin1'));
  if (key === undefined) return null;
  return new RegoObject(Object.entries(key.export({ format: 'jwk' })) as [string, string][]);
}

function readKeys(text: string): KeyObject[] {
  const keys: KeyObject[] = [];
  let rest = tryDecodeBase64(text)?.toString('latin1') ?? text;
  for (;;) {
    const next = nextPem(rest);
    if (next.block === undefined) return keys;
    const type = FORMATS[next.block.label];
    if (type !== undefined) keys.push(readPrivateKey(next.block.bytes, type));
    rest = next.rest;
  }
}

/** @throws BuiltinError, which says nothing of the key */
export function readPrivateKey(der: Buffer, type: 'pkcs1' | 'pkcs8' | 'sec1'): KeyObject {
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: der, format: 'der', type });
  } catch {
    throw new BuiltinError('x509: failed to parse private key');
  }
  if (!isKnownKey(key)) throw new BuiltinError('x509: private key of an unknown algorithm');
  return key;
}

/** As the JSON of what Go parses it to. */
export function describePrivateKey(key: KeyObject): RegoValue {
  const jwk = key.export({ format: 'jwk' });
  switch (key.asymmetricKeyType) {
    case 'rsa':
      return describeRsa(jwk);
    case 'ec':
      return new RegoObject([
        ['Curve', new RegoObject([])],
        ['D', integerOf(jwk.d)],
        ['X', integerOf(jwk.x)],
        ['Y', integerOf(jwk.y)],
      ]);
    case 'ed25519':
      return Buffer.concat([bytesOf(jwk.d), bytesOf(jwk.x)]).toString('base64');
    default:
      return new RegoObject([]);
  }
}

function describeRsa(jwk: JsonWebKey): RegoValue {
  return new RegoObject([
    ['D', integerOf(jwk.d)],
    ['E', integerOf(jwk.e)],
    ['N', integerOf(jwk.n)],
    [
      'Precomputed',
      new RegoObject([
        ['CRTValues', []],
        ['Dp', integerOf(jwk.dp)],
        ['Dq', integerOf(jwk.dq)],
        ['Qinv', integerOf(jwk.qi)],
      ]),
    ],
    ['Primes', [integerOf(jwk.p), integerOf(jwk.q)]],
  ]);
}
