import { createHash } from 'node:crypto';
import { isRefusal, refuse, type Refusal } from '../errors/refusal.js';
import type { ExactJson } from '../json/exact.js';
import { readJws, type JsonObject } from '../jws/compact.js';
import type { VerificationKey } from '../jws/key-set.js';
import type { Use } from '../jws/replay.js';
import { isSigned } from '../jws/signature.js';
import { isNumericDate, strings } from './jwt-svid.js';
import type { PeerEvidence, WimseCode } from './types.js';

export interface ProofRules {
  /**
   * What `aud` may be: such a value itself, or the request's URI without its query where the value is its origin.
   * The `host` that a client writes is not asked.
   */
  readonly audiences: readonly string[];
  /** The most that `exp` may be away, in milliseconds. */
  readonly maxLifetime: number;
}

/** What a proof has to be about. */
export interface ProofSubject {
  readonly proof: string;
  /** The WIT itself, as it stands in its header. */
  readonly identityToken: string;
  /** The key of its `cnf.jwk`. */
  readonly key: VerificationKey;
  readonly request: PeerEvidence;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

const MAX_JTI = 256;

/**
 * Verifies a Workload-Proof-Token (draft-ietf-wimse-wpt section 2) against its WIT and the request, all but whether it
 * was used before: that is for whoever remembers, and the answer says what to ask.
 */
export function verifyProof(
  { proof, identityToken, key, request, now }: ProofSubject,
  rules: ProofRules,
): Use | Refusal<WimseCode> {
  const jws = readJws(proof);
  if (isRefusal(jws)) return invalid(jws.detail);
  const { header, payload, type } = jws;
  if (!isType(type, 'wpt+jwt')) return invalid('typ is not wpt+jwt');
  if (header.alg !== key.alg) return invalid('alg is not that of cnf.jwk');
  if (!isSigned(proof, key.key, header.alg)) return invalid('the signature does not match cnf.jwk');
  const { aud, exp, iat, jti, wth } = payload;
  if (!isNumericDate(exp)) return invalid('exp is missing or not a NumericDate');
  if (iat !== undefined && !isNumericDate(iat)) return invalid('iat is not a NumericDate');
  const expiresAt = exp * 1000;
  if (now >= expiresAt) return invalid('exp has passed');
  if (expiresAt > now + rules.maxLifetime) return invalid('exp is farther away than configured');
  if (typeof jti !== 'string' || jti === '' || jti.length > MAX_JTI)
    return invalid(`jti is not a string of 1 to ${MAX_JTI} characters`);
  if (!strings(aud)?.some((name) => isTarget(name, request.path, rules.audiences)))
    return invalid('aud is not the target of this request');
  if (wth !== digest(identityToken)) return invalid('wth is not the hash of the Workload-Identity-Token');
  const fault = boundFault(payload, request);
  if (fault !== undefined) return invalid(fault);
  return {
    id: digest(`wpt ${key.identity} ${jti}`),
    // Without iat it may be as old as its lifetime allows.
    madeAt: iat === undefined ? expiresAt - rules.maxLifetime : Math.min(iat * 1000, now),
    expiresAt,
  };
}

/** Whether the other tokens of the request are those that the proof was made for: section 2, `ath`, `tth`, `oth`. */
function boundFault({ ath, tth, oth }: JsonObject, { header }: PeerEvidence): string | undefined {
  const authorization = header('authorization');
  if (authorization.length > 1) return 'there is more than one authorization header';
  const access = /^(?:bearer|dpop) +(.*)$/is.exec(authorization[0] ?? '')?.[1];
  if (!binds(ath, access)) return 'ath is not the hash of the access token';
  const txn = header('txn-token');
  if (txn.length > 1) return 'there is more than one Txn-Token';
  if (!binds(tth, txn[0])) return 'tth is not the hash of the Txn-Token';
  return oth === undefined || bindsAll(oth, header)
    ? undefined
    : 'oth is not the hashes of the headers that it names';
}

/** A token without its hash is refused, and so is a hash without its token. */
function binds(hash: ExactJson | undefined, token: string | undefined): boolean {
  return token === undefined ? hash === undefined : hash === digest(token);
}

function bindsAll(oth: ExactJson, header: PeerEvidence['header']): boolean {
  if (typeof oth !== 'object' || oth === null || Object.getPrototypeOf(oth) !== Object.prototype)
    return false;
  return Object.entries(oth).every(([name, hash]) => {
    const lines = header(name);
    return lines.length === 1 && hash === digest(lines[0]!.trim());
  });
}

function isTarget(aud: string, path: string, audiences: readonly string[]): boolean {
  return audiences.some((audience) => aud === audience || (path !== '' && aud === audience + path));
}

/** RFC 7515 section 4.1.9: a media type without `application/`, in any case. */
export function isType(type: string | undefined, expected: string): boolean {
  return type?.toLowerCase().replace(/^application\//, '') === expected;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

function invalid(what: string): Refusal<'wpt_invalid'> {
  return refuse('wpt_invalid', `not a proof of this request: ${what}`);
}
