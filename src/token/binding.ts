import { timingSafeEqual } from 'node:crypto';
import { refuse, type Refusal } from '../errors/refusal.js';
import type { ExactJson } from '../json/exact.js';
import type { TokenBinding } from './types.js';

export type BindingCode = 'token_claims_invalid' | 'token_binding_mismatch' | 'token_binding_unsupported';

/**
 * Holds a token's `cnf` (RFC 7800) against the one who presents it. What this server cannot check is never
 * treated as a plain bearer token: whoever bound it meant something by it.
 *
 * @param peerThumbprint `x5t#S256` of the verified peer certificate (RFC 8705 section 3.1); absent without one
 */
export function checkBinding(
  cnf: ExactJson | undefined,
  peerThumbprint: string | undefined,
): TokenBinding | Refusal<BindingCode> {
  if (cnf === undefined) return 'none';
  if (typeof cnf !== 'object' || cnf === null || Object.getPrototypeOf(cnf) !== Object.prototype)
    return refuse('token_claims_invalid', 'cnf is not an object');
  const unknown = Object.keys(cnf).find((name) => name !== 'x5t#S256');
  if (unknown !== undefined || Object.keys(cnf).length === 0)
    return refuse('token_binding_unsupported', 'cnf binds in a way that is not supported');
  const thumbprint = (cnf as { [name: string]: ExactJson })['x5t#S256'];
  if (typeof thumbprint !== 'string') return refuse('token_claims_invalid', 'cnf.x5t#S256 is not a string');
  if (peerThumbprint === undefined)
    return refuse('token_binding_mismatch', 'the token is bound to a certificate, and none was presented');
  if (!equal(thumbprint, peerThumbprint))
    return refuse(
      'token_binding_mismatch',
      'the token is bound to another certificate than the one presented',
    );
  return 'x5t#S256';
}

function equal(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
