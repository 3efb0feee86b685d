import { createHash, type KeyObject } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { isRefusal, refuse, type Refusal } from '../errors/refusal.js';
import type { Algorithm } from '../jws/algorithms.js';
import { sameAlgorithm } from '../jws/algorithms.js';
import { readJws, type CompactJws } from '../jws/compact.js';
import { readProofKey } from '../jws/proof-key.js';
import type { Claim, ReplayGuard } from '../jws/replay.js';
import { isSigned } from '../jws/signature.js';
import type { Nonces } from './nonces.js';
import { isTarget, type Origins, type RequestTarget } from './target-uri.js';

export type DpopCode =
  | 'token_binding_mismatch'
  | 'dpop_proof_missing'
  | 'dpop_proof_duplicate'
  | 'dpop_proof_invalid'
  | 'dpop_proof_mismatch'
  | 'dpop_proof_expired'
  | 'dpop_proof_replayed'
  | 'dpop_nonce_required'
  | 'dpop_unavailable';

export interface DpopOptions {
  /** Asymmetric ones alone. */
  readonly algorithms: readonly Algorithm[];
  /** The most that a proof's `iat` may lie back, in milliseconds. */
  readonly maxAge: number;
  /** How far the clock of who made it may be off, in milliseconds. */
  readonly clockSkew: number;
  /** Each proof has to hold a nonce; otherwise only one that the guard cannot know of. */
  readonly nonceRequired: boolean;
  readonly nonces: Nonces;
  readonly origins: Origins;
  readonly guard: ReplayGuard;
}

/** What a proof has to fit. */
export interface Proven {
  /** Every `DPoP` header line that arrived. */
  readonly proofs: readonly string[];
  /** Absent where nothing tells where the request went: then no proof is one for it. */
  readonly target: RequestTarget | undefined;
  /** The access token, as it came. */
  readonly token: string;
  /** The token's `cnf.jkt`. */
  readonly thumbprint: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

type Refused = Refusal<DpopCode>;

export interface DpopVerifier {
  /**
   * Undefined where the proof is good. It never throws or rejects; a promise means that others had to be asked
   * whether the proof was used before.
   */
  check(proven: Proven): Refused | undefined | Promise<Refused | undefined>;
}

/** A longer proof is refused before it is decoded. Bytes. */
const LONGEST = 8192;

/** Keys of verified tokens that are kept ready for node:crypto. */
const KEYS = 10_000;

/**
 * Checks DPoP proofs by RFC 9449 section 4.3, in the order of its list but for two things: the key is compared with
 * the token's before it is used for anything, and whether the proof was used before is asked last, so that only who
 * holds the token's key can fill that memory.
 */
export function createDpopVerifier(options: DpopOptions): DpopVerifier {
  const keys = new LRUCache<string, KeyObject>({ max: KEYS });

  return {
    check(proven) {
      const proof = readProof(proven.proofs, options.algorithms);
      if (isRefusal(proof)) return proof;
      const key = readProofKey(proof.header.jwk, proof.header.alg);
      if (typeof key === 'string') return invalid(key);
      if (key.thumbprint !== proven.thumbprint)
        return refuse('token_binding_mismatch', 'the token is bound to another key than that of the proof');
      const opened = keys.get(key.thumbprint) ?? key.open();
      if (opened === undefined) return invalid('jwk is too weak, or no key at all');
      keys.set(key.thumbprint, opened);
      if (!isSigned(proven.proofs[0]!, opened, proof.header.alg))
        return invalid('the signature does not match');
      const use = readUse(proof, proven, options);
      if (isRefusal(use)) return use;
      const claim = options.guard.claim(use);
      return claim instanceof Promise ? claim.then(settle) : settle(claim);
    },
  };
}

function readProof(proofs: readonly string[], algorithms: readonly Algorithm[]): CompactJws | Refused {
  const [proof] = proofs;
  if (proof === undefined)
    return refuse('dpop_proof_missing', 'the token is bound to a key, and no proof of it came along');
  // Envoy joins two headers of one name with a comma, which no JWS holds.
  if (proofs.length > 1 || proof.includes(','))
    return refuse('dpop_proof_duplicate', 'more than one DPoP header');
  if (proof.length > LONGEST) return invalid(`longer than ${LONGEST} bytes`);
  const jws = readJws(proof);
  if (isRefusal(jws)) return invalid(jws.detail);
  if (jws.type?.toLowerCase().replace(/^application\//, '') !== 'dpop+jwt')
    return invalid('typ is not dpop+jwt');
  if (!algorithms.some((allowed) => sameAlgorithm(allowed, jws.header.alg)))
    return invalid(`alg is none of ${algorithms.join(', ')}`);
  return jws;
}

/** The claims, held against the request and the clock. */
function readUse({ payload }: CompactJws, proven: Proven, options: DpopOptions) {
  const { jti, htm, htu, iat, ath, nonce } = payload;
  if (typeof jti !== 'string' || jti === '') return invalid('jti is missing or not a string');
  if (typeof htm !== 'string') return invalid('htm is missing or not a string');
  if (typeof htu !== 'string') return invalid('htu is missing or not a string');
  if (typeof iat !== 'number' || !Number.isFinite(iat)) return invalid('iat is missing or not a NumericDate');
  const { target, now } = proven;
  if (target === undefined || htm !== target.method)
    return refuse('dpop_proof_mismatch', 'htm is not the method of this request');
  if (!isTarget(htu, target, options.origins))
    return refuse('dpop_proof_mismatch', 'htu is not the target of this request');
  if (ath !== sha256(proven.token)) return refuse('dpop_proof_mismatch', 'ath is not the hash of this token');
  const { maxAge, clockSkew } = options;
  const made = iat * 1000;
  if (made > now + clockSkew) return refuse('dpop_proof_expired', 'iat is in the future');
  if (!(now - made <= maxAge + clockSkew)) return refuse('dpop_proof_expired', 'iat is too long ago');
  const nonceMadeAt = typeof nonce === 'string' ? options.nonces.madeAt(nonce, now) : undefined;
  if (nonceMadeAt === undefined && options.nonceRequired)
    return refuse('dpop_nonce_required', 'nonce is missing, too old or not one of ours');
  return {
    id: sha256(JSON.stringify(['dpop', proven.thumbprint, jti])),
    madeAt: Math.max(made - clockSkew, nonceMadeAt ?? Number.NEGATIVE_INFINITY),
    expiresAt: made + maxAge + clockSkew + 1,
  };
}

function settle(claim: Claim): Refused | undefined {
  switch (claim) {
    case 'fresh':
      return undefined;
    case 'replayed':
      return refuse('dpop_proof_replayed', 'a proof of this key with this jti was used before');
    case 'unknown':
      // It may have been used while another process was here: a nonce of ours tells that it was not.
      return refuse('dpop_nonce_required', 'the proof can have been used before this server started');
    default:
      return refuse('dpop_unavailable', 'nobody can tell whether the proof was used before');
  }
}

function invalid(detail: string): Refusal<'dpop_proof_invalid'> {
  return refuse('dpop_proof_invalid', detail);
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}
