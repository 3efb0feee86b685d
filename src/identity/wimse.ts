import { isRefusal, refuse, type Refusal } from '../errors/refusal.js';
import type { ExactJson } from '../json/exact.js';
import { readJws } from '../jws/compact.js';
import { readKeys, type VerificationKey } from '../jws/key-set.js';
import type { Claim, ReplayGuard } from '../jws/replay.js';
import { suits } from '../jws/algorithms.js';
import { createVerifiedCache, type VerifiedWorkload } from './certificate-verifier.js';
import { findSigner, isNumericDate } from './jwt-svid.js';
import type { PathTemplate } from './path-template.js';
import { parseWorkloadId } from './spiffe-id.js';
import type { TrustBundles } from './trust-bundle.js';
import type { IdentityVerifier, PeerEvidence, WimseCode, WorkloadIdentity } from './types.js';
import { isType, verifyProof, type ProofRules } from './workload-proof.js';
import { describeWorkload } from './workload.js';

export interface WimseOptions extends ProofRules {
  readonly replay: ReplayGuard;
}

interface Context extends WimseOptions {
  readonly bundles: () => TrustBundles;
  readonly template: PathTemplate;
  readonly cacheSize: number;
}

interface VerifiedToken extends VerifiedWorkload {
  /** What a proof has to be made with. */
  readonly key: VerificationKey;
}

/** A longer one is refused before it is decoded. */
const MAX_LENGTH = 8192;

/**
 * The stage for WIMSE (draft-ietf-wimse-workload-creds, draft-ietf-wimse-wpt): the workload shows a
 * Workload-Identity-Token and proves, for this very request, that it holds the key in it. The token is remembered as a
 * certificate is; the proof counts once. A promise is given only where another process remembers the proofs.
 */
export function createWimseVerifier(context: Context): IdentityVerifier {
  const { bundles, replay, cacheSize } = context;
  const verified = createVerifiedCache<WimseCode, VerifiedToken>(cacheSize);
  return {
    verify(request, now) {
      const identityToken = only(request, 'workload-identity-token', 'wit');
      if (isRefusal(identityToken)) return identityToken;
      const proof = only(request, 'workload-proof-token', 'wpt');
      if (isRefusal(proof)) return proof;
      const current = bundles();
      const known = verified(identityToken, current, now, () =>
        verifyToken(identityToken, current, context, now),
      );
      if (isRefusal(known)) return known;
      const use = verifyProof({ proof, identityToken, key: known.key, request, now }, context);
      if (isRefusal(use)) return use;
      const claim = replay.claim(use);
      return claim instanceof Promise
        ? claim.then((answer) => once(answer, known.identity))
        : once(claim, known.identity);
    },
  };
}

function once(claim: Claim, identity: WorkloadIdentity): WorkloadIdentity | Refusal<WimseCode> {
  switch (claim) {
    case 'fresh':
      return identity;
    case 'replayed':
      return refuse('wpt_replayed', 'the Workload-Proof-Token was used before');
    case 'unknown':
      return refuse('wpt_replayed', 'the Workload-Proof-Token may be older than the memory of used ones');
    case 'unavailable':
      return refuse(
        'wpt_replay_unavailable',
        'nobody can tell whether the Workload-Proof-Token was used before',
      );
  }
}

function only({ header }: PeerEvidence, name: string, kind: 'wit' | 'wpt'): string | Refusal<WimseCode> {
  const [line, ...others] = header(name);
  if (line === undefined) return refuse(`${kind}_missing`, `the request has no ${name}`);
  if (others.length > 0 || line.includes(',')) return refuse(`${kind}_invalid`, `more than one ${name}`);
  return line.length > MAX_LENGTH
    ? refuse(`${kind}_invalid`, `${name} is longer than ${MAX_LENGTH} bytes`)
    : line;
}

/** draft-ietf-wimse-workload-creds section 3.1, with the JWT authorities of the SPIFFE trust domain that `sub` names. */
function verifyToken(
  token: string,
  bundles: TrustBundles,
  { template }: Context,
  now: number,
): VerifiedToken | Refusal<WimseCode> {
  const jws = readJws(token);
  if (isRefusal(jws)) return invalid(jws.detail);
  if (!isType(jws.type, 'wit+jwt')) return invalid('typ is not wit+jwt');
  const { sub, exp, nbf, cnf } = jws.payload;
  if (typeof sub !== 'string') return invalid('sub is missing or not a string');
  if (!isNumericDate(exp)) return invalid('exp is missing or not a NumericDate');
  if (nbf !== undefined && !isNumericDate(nbf)) return invalid('nbf is not a NumericDate');
  const key = confirmationKey(cnf);
  if (key === undefined) return invalid('cnf.jwk is not a public key that says its alg');
  const id = parseWorkloadId(sub);
  if (isRefusal(id)) return id;
  const signer = findSigner(token, jws, bundles.find(id.trustDomain), 'wit_untrusted');
  if (isRefusal(signer)) return signer;
  const notAfter = exp * 1000;
  if (now >= notAfter) return refuse('wit_expired', 'exp has passed');
  const notBefore = nbf === undefined ? -Infinity : nbf * 1000;
  if (now < notBefore) return refuse('wit_expired', 'nbf is in the future');
  const identity = { ...describeWorkload(id, template), source: 'wimse' as const, notAfter };
  return { identity, key, notBefore, notAfter: notAfter - 1 };
}

/** Public, of a type that can be used, and for one algorithm: a proof made with any other is none. */
function confirmationKey(cnf: ExactJson | undefined): VerificationKey | undefined {
  if (typeof cnf !== 'object' || cnf === null || !Object.hasOwn(cnf, 'jwk')) return undefined;
  const [key] = readKeys([(cnf as { readonly jwk: ExactJson }).jwk], () => true).keys;
  if (key?.alg === undefined || !suits(key.alg, key.type, key.curve)) return undefined;
  return key;
}

function invalid(what: string): Refusal<'wit_invalid'> {
  return refuse('wit_invalid', `not a Workload-Identity-Token: ${what}`);
}
