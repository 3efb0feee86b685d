import { refuse } from '../errors/refusal.js';
import type { Credential } from './bearer.js';
import { bindingsOf, checkCertificate, checkWorkload, type Bonds } from './binding.js';
import type { DpopVerifier } from './dpop.js';
import type { BindingRequirement, Misuse, TokenRefusal, TokenRequest, VerifiedToken } from './types.js';

/** A genuine token, and what it is presented under. */
export interface Presented {
  readonly token: VerifiedToken;
  readonly bonds: Bonds;
  readonly credential: Credential;
  /** What the most specific of route, issuer and server ask for. */
  readonly requirement: BindingRequirement;
  /** Absent where this server checks no proofs: no token that is bound to a key passes then. */
  readonly dpop: DpopVerifier | undefined;
}

/**
 * Holds a genuine token against the one who presents it. What ties it to somebody has to hold in full; the proof
 * comes last, since it takes time and can be used but once.
 *
 * @returns the token itself, where it is the presenter's own
 */
export function checkPresentation(
  presented: Presented,
  request: TokenRequest,
): VerifiedToken | TokenRefusal | Promise<VerifiedToken | TokenRefusal> {
  const { token, bonds, credential, requirement, dpop } = presented;
  if (bonds.certificate !== undefined) {
    const mismatch = checkCertificate(bonds.certificate, request.peerThumbprint);
    if (mismatch) return misused(mismatch, token, 'x5t#S256', bonds.certificate);
  }
  if (bonds.workloads !== undefined) {
    const mismatch = checkWorkload(bonds.workloads, request.presenter);
    if (mismatch) return misused(mismatch, token, 'spiffe', bonds.workloads.join(' '));
  }
  if (!isBoundAsAsked(bonds, requirement))
    return refuse(
      'token_binding_required',
      requirement === 'required' ? 'a plain bearer token' : `a token without a binding by ${requirement}`,
    );
  if (bonds.key === undefined) {
    if (credential.scheme === 'bearer') return token;
    return refuse('token_binding_required', 'the token came as DPoP, and is bound to no key');
  }
  return checkProof(presented, bonds.key, dpop, request);
}

function isBoundAsAsked(bonds: Bonds, requirement: BindingRequirement): boolean {
  switch (requirement) {
    case 'optional':
      return true;
    case 'required':
      return bonds.certificate !== undefined || bonds.key !== undefined || bonds.workloads !== undefined;
    default:
      return bindingsOf(bonds).includes(requirement);
  }
}

function checkProof(
  { token, credential }: Presented,
  thumbprint: string,
  dpop: DpopVerifier | undefined,
  request: TokenRequest,
): VerifiedToken | TokenRefusal | Promise<VerifiedToken | TokenRefusal> {
  if (dpop === undefined)
    return refuse('token_binding_unsupported', 'the token is bound to a key, and no proofs are checked here');
  // RFC 9449 section 7.2: as a bearer token it would be of use to whoever copied it, proof or not.
  if (credential.scheme === 'bearer')
    return misused(
      refuse('dpop_proof_missing', 'the token is bound to a key, and came as Bearer'),
      token,
      'dpop',
      thumbprint,
    );
  const settle = (refusal: TokenRefusal | undefined) =>
    refusal === undefined
      ? token
      : BLAMELESS.has(refusal.code)
        ? refusal
        : misused(refusal, token, 'dpop', thumbprint);
  const refusal = dpop.check({
    proofs: request.header?.('dpop') ?? [],
    target: request.http,
    token: credential.token,
    thumbprint,
    now: request.now,
  });
  return refusal instanceof Promise ? refusal.then(settle) : settle(refusal);
}

/** What says nothing against the presenter. */
const BLAMELESS: ReadonlySet<string> = new Set(['dpop_nonce_required', 'dpop_unavailable']);

function misused(
  refusal: TokenRefusal,
  token: VerifiedToken,
  boundBy: Misuse['boundBy'],
  boundTo: string,
): TokenRefusal {
  return { ...refusal, misuse: { token, boundBy, boundTo } };
}
