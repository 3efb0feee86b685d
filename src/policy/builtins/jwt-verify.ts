import { constants, type KeyObject } from 'node:crypto';
import type { RegoValue } from '../value.js';
import { type Builtin, operand } from './builtin.js';
import { verifyEcdsa, verifyEd25519, verifyHmac, verifyRsa, type Hash } from './jws.js';
import { decodeHeader, decodeSection, readHeader, signedData, splitToken } from './jwt-token.js';
import { verificationKeys, verifiedByAny } from './verification-keys.js';

type Check = (key: KeyObject, data: Buffer, signature: Buffer) => boolean;

/** io.jwt.verify_rs*, ps*, es* and eddsa: by a certificate, a public key or a JWK set. */
function byKeys(check: Check): Builtin {
  return (_, jwt: RegoValue, keys: RegoValue) => {
    const token = splitToken(jwt);
    const candidates = verificationKeys(operand(keys, 2, 'string'));
    const signature = decodeSection('JWT signature had invalid encoding', token.signature);
    const header = readHeader(decodeHeader(token));
    const data = signedData(token);
    return verifiedByAny(candidates, header, (key) => key.type === 'public' && check(key, data, signature));
  };
}

/** io.jwt.verify_hs*: by a secret. */
function bySecret(hash: Hash): Builtin {
  return (_, jwt: RegoValue, secret: RegoValue) => {
    operand(jwt, 1, 'string');
    const key = operand(secret, 2, 'string');
    const token = splitToken(jwt);
    const signature = decodeSection('JWT signature had invalid encoding', token.signature);
    return verifyHmac(hash, key, signedData(token), signature);
  };
}

const rs = (hash: Hash) => byKeys((key, data, signature) => verifyRsa(hash, key, data, signature));

/** A salt of any length, as OPA takes it here. */
const ps = (hash: Hash) =>
  byKeys((key, data, signature) => verifyRsa(hash, key, data, signature, constants.RSA_PSS_SALTLEN_AUTO));

const es = (hash: Hash) => byKeys((key, data, signature) => verifyEcdsa(hash, key, data, signature));

/**
 * Each tells whether the signature is right by the algorithm in its own name: the token's `alg` only chooses
 * among keys. Nothing else of the token is looked at.
 */
export const JWT_VERIFY = {
  'io.jwt.verify_eddsa': byKeys(verifyEd25519),
  'io.jwt.verify_es256': es('sha256'),
  'io.jwt.verify_es384': es('sha384'),
  'io.jwt.verify_es512': es('sha512'),
  'io.jwt.verify_hs256': bySecret('sha256'),
  'io.jwt.verify_hs384': bySecret('sha384'),
  'io.jwt.verify_hs512': bySecret('sha512'),
  'io.jwt.verify_ps256': ps('sha256'),
  'io.jwt.verify_ps384': ps('sha384'),
  'io.jwt.verify_ps512': ps('sha512'),
  'io.jwt.verify_rs256': rs('sha256'),
  'io.jwt.verify_rs384': rs('sha384'),
  'io.jwt.verify_rs512': rs('sha512'),
};
