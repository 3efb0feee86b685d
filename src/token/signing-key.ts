import { refuse, type Refusal } from '../errors/refusal.js';
import type { CompactJws } from '../jws/compact.js';
import type { KeySet, VerificationKey } from '../jws/key-set.js';
import { isSigned } from '../jws/signature.js';

export type SigningCode = 'token_algorithm_refused' | 'token_key_unknown' | 'token_signature_invalid';

/** The key of this set that a JWS was signed with. */
export function signingKey(
  token: string,
  jws: CompactJws,
  keys: KeySet,
): VerificationKey | Refusal<SigningCode> {
  const { header, keyId } = jws;
  const candidates = keys.candidates(header.alg, keyId);
  if (candidates.length === 0)
    return keys.knows(keyId) && keyId !== undefined
      ? refuse('token_algorithm_refused', "alg is not the key's")
      : refuse('token_key_unknown', 'no key of the issuer suits kid and alg');
  const key = candidates.find((candidate) => isSigned(token, candidate.key, header.alg));
  return key ?? refuse('token_signature_invalid', 'the signature does not match');
}
