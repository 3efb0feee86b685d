import * as crypto from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { isRefusal, refuse, type Refusal } from '../errors/refusal.js';
import { sameAlgorithm, type Algorithm } from '../jws/algorithms.js';
import { readBearer } from './bearer.js';
import { checkBinding } from './binding.js';
import { checkTime, readClaims, type ClaimRules, type Claims } from './claims.js';
import { readJws, type CompactJws } from '../jws/compact.js';
import type { KeySet, VerificationKey } from '../jws/key-set.js';
import type { KeySource } from './key-source.js';
import { isSigned } from '../jws/signature.js';
import type { TokenCode, TokenRequest, TokenVerifier, VerifiedToken } from './types.js';

/** One issuer whose tokens are accepted. */
export interface TrustedIssuer extends ClaimRules {
  readonly algorithms: readonly Algorithm[];
  readonly keys: KeySource;
  /** Whether a workload, by its SPIFFE ID, may present this issuer's tokens. Anybody may where it is absent. */
  readonly presenters?: (spiffeId: string) => boolean;
}

export interface TokenVerifierOptions {
  readonly issuers: readonly TrustedIssuer[];
  /** A longer token is refused before it is decoded. */
  readonly maxBytes: number;
  /** How many verified tokens are remembered. Default 10,000. */
  readonly cacheSize?: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** A token that was verified, and what keeps the verdict alive. */
interface Verdict {
  readonly claims: Claims;
  readonly issuer: TrustedIssuer;
  readonly key: VerificationKey;
  /** The set that the key was last seen in. */
  keys: KeySet;
  /** What was last presented: the same object as long as the binding is, so that others may remember it too. */
  presented?: VerifiedToken;
}

type Refused = Refusal<TokenCode>;

/**
 * Verifies access tokens. In this order, and the first that fails gives the code:
 *
 * 1. one `Authorization: Bearer`, no longer than allowed                        (bearer.ts)
 * 2. a compact JWS, strictly read; `iss` of the unverified claims picks the issuer  (jws.ts)
 * 3. `alg` on the issuer's list, `typ` of an access token
 * 4. a key of this issuer that suits `kid` and `alg`; one not yet known is asked for
 * 5. the signature
 * 6. iss, aud, exp, nbf, iat, lifetime and what RFC 9068 requires              (claims.ts)
 * 7. the route's audience
 * 8. the issuer's presenters
 * 9. `cnf` against the peer certificate                                        (binding.ts)
 *
 * A verdict on 2 to 6 is remembered under the token's SHA-256. Each time it is used, times, key and staleness
 * are checked again; 7 to 9 are about the request and are never remembered. Refusals are not remembered.
 */
export function createTokenVerifier(options: TokenVerifierOptions): TokenVerifier {
  const issuers = new Map(options.issuers.map((issuer) => [issuer.issuer, issuer]));
  const verdicts = new LRUCache<string, Verdict>({ max: options.cacheSize ?? 10_000 });
  const underWay = new Map<string, Promise<Verdict | Refused>>();

  function verifyOnce(id: string, token: string): Verdict | Refused | Promise<Verdict | Refused> {
    const waiting = underWay.get(id);
    if (waiting !== undefined) return waiting;
    const remember = (verdict: Verdict | Refused) => {
      if (!isRefusal(verdict)) verdicts.set(id, verdict);
      return verdict;
    };
    const verdict = verifyAnew(token, issuers, options.now);
    if (!(verdict instanceof Promise)) return remember(verdict);
    const work = verdict.then(remember).finally(() => underWay.delete(id));
    underWay.set(id, work);
    return work;
  }

  return {
    verify(request) {
      const token = readBearer(request.authorization, options.maxBytes);
      if (isRefusal(token)) return token;
      const id = sha256(token);
      const known = verdicts.get(id);
      if (known !== undefined) {
        const invalid = reconsider(known, request.now);
        if (invalid === undefined) return present(known, request);
        verdicts.delete(id);
        // A key that is gone may be back under the same id: that is for a new verification to find out.
        if (invalid.code !== 'token_key_unknown') return invalid;
      }
      const settle = (verdict: Verdict | Refused) =>
        isRefusal(verdict) ? verdict : present(verdict, request);
      const verdict = verifyOnce(id, token);
      return verdict instanceof Promise ? verdict.then(settle) : settle(verdict);
    },
  };
}

/** In one call where Node has it (20.12), at half the cost. */
const sha256: (text: string) => string =
  typeof crypto.hash === 'function'
    ? (text) => crypto.hash('sha256', text, 'base64')
    : (text) => crypto.createHash('sha256').update(text).digest('base64');

/** Why a remembered verdict holds no longer; undefined when it does. */
function reconsider(verdict: Verdict, now: number): Refused | undefined {
  const { issuer, key, claims } = verdict;
  const keys = issuer.keys.current();
  if (keys === undefined) return unavailable(issuer);
  if (keys !== verdict.keys) {
    if (!keys.has(key)) return refuse('token_key_unknown', 'the key was withdrawn');
    verdict.keys = keys;
  }
  return checkTime(claims, issuer.clockSkew, now);
}

/** What is about this request and not about the token. */
function present(verdict: Verdict, request: TokenRequest): VerifiedToken | Refused {
  const { claims, presented, issuer } = verdict;
  if (request.audience !== undefined && !claims.audience.includes(request.audience))
    return refuse('token_audience_mismatch', "aud does not name the route's audience");
  if (issuer.presenters && !(request.presenter !== undefined && issuer.presenters(request.presenter)))
    return refuse('token_presenter_refused', `this workload may not present tokens of ${issuer.issuer}`);
  const binding = checkBinding(claims.claims.cnf, request.peerThumbprint);
  if (typeof binding !== 'string') return binding;
  if (presented?.binding === binding) return presented;
  return (verdict.presented = { ...claims, binding });
}

function verifyAnew(
  token: string,
  issuers: ReadonlyMap<string, TrustedIssuer>,
  now: () => number,
): Verdict | Refused | Promise<Verdict | Refused> {
  const jws = readJws(token);
  if (isRefusal(jws)) return jws;
  const { iss } = jws.payload;
  const issuer = typeof iss === 'string' ? issuers.get(iss) : undefined;
  if (issuer === undefined) return refuse('token_issuer_unknown', 'iss is not a configured issuer');
  const { alg } = jws.header;
  if (!issuer.algorithms.some((allowed) => sameAlgorithm(allowed, alg)))
    return refuse('token_algorithm_refused', `alg is none of ${issuer.algorithms.join(', ')}`);
  if (!isAccessToken(jws.type, issuer.profile))
    return refuse(
      'token_type_refused',
      `typ is not that of an access token by the profile ${issuer.profile}`,
    );
  const verify = () => verifySignature(token, jws, issuer, now());
  // Only a key that is not here is waited for.
  return issuer.keys.current()?.knows(jws.keyId) ? verify() : issuer.keys.demand().then(verify);
}

function verifySignature(
  token: string,
  jws: CompactJws,
  issuer: TrustedIssuer,
  now: number,
): Verdict | Refused {
  const keys = issuer.keys.current();
  if (keys === undefined) return unavailable(issuer);
  const candidates = findKeys(keys, jws);
  if (isRefusal(candidates)) return candidates;
  const key = candidates.find((candidate) => isSigned(token, candidate.key, jws.header.alg));
  if (key === undefined) return refuse('token_signature_invalid', 'the signature does not match');
  const claims = readClaims(jws.payload, issuer, now);
  return isRefusal(claims) ? claims : { claims, issuer, key, keys };
}

/**
 * RFC 9068 section 2.1 types access tokens, and RFC 8725 section 3.11 tells kinds of token apart by it. Issuers that do not
 * follow RFC 9068 write `JWT` or nothing; every other type is a token of another kind.
 */
function isAccessToken(type: string | undefined, profile: ClaimRules['profile']): boolean {
  const name = type?.toLowerCase().replace(/^application\//, '');
  if (name === 'at+jwt') return true;
  return profile === 'jwt' && (name === undefined || name === 'jwt');
}

function findKeys(
  keys: KeySet,
  { header, keyId }: CompactJws,
): readonly VerificationKey[] | Refusal<'token_algorithm_refused' | 'token_key_unknown'> {
  const candidates = keys.candidates(header.alg, keyId);
  if (candidates.length > 0) return candidates;
  return keys.knows(keyId) && keyId !== undefined
    ? refuse('token_algorithm_refused', "alg is not the key's")
    : refuse('token_key_unknown', 'no key of the issuer suits kid and alg');
}

function unavailable({ issuer }: TrustedIssuer): Refusal<'token_keys_unavailable'> {
  return refuse('token_keys_unavailable', `no usable keys of ${issuer}`);
}
