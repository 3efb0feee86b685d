import { timingSafeEqual } from 'node:crypto';
import { refuse, type Refusal } from '../errors/refusal.js';
import type { ExactJson } from '../json/exact.js';
import type { TokenBinding } from './types.js';

export type BindingCode = 'token_claims_invalid' | 'token_binding_mismatch' | 'token_binding_unsupported';

/** What ties a token to those who may present it: each of these has to hold. Empty for a plain bearer token. */
export interface Bonds {
  /** `cnf.x5t#S256` (RFC 8705 section 3.1). */
  readonly certificate?: string;
  /** `cnf.jkt` (RFC 9449 section 6.1). */
  readonly key?: string;
  /** The SPIFFE IDs that the issuer's rule makes of the claims; none of them may where the list is empty. */
  readonly workloads?: readonly string[];
}

const UNBOUND: Bonds = {};

/**
 * Reads a token's `cnf` (RFC 7800 section 3.1). What this server cannot check is never treated as a plain bearer
 * token: whoever bound it meant something by it.
 */
export function readConfirmation(cnf: ExactJson | undefined): Bonds | Refusal<BindingCode> {
  if (cnf === undefined) return UNBOUND;
  if (typeof cnf !== 'object' || cnf === null || Object.getPrototypeOf(cnf) !== Object.prototype)
    return refuse('token_claims_invalid', 'cnf is not an object');
  const names = Object.keys(cnf);
  if (names.length === 0 || !names.every((name) => name === 'x5t#S256' || name === 'jkt'))
    return refuse('token_binding_unsupported', 'cnf binds in a way that is not supported');
  const { 'x5t#S256': certificate, jkt } = cnf as { readonly [name: string]: ExactJson };
  if (certificate !== undefined && typeof certificate !== 'string')
    return refuse('token_claims_invalid', 'cnf.x5t#S256 is not a string');
  if (jkt !== undefined && typeof jkt !== 'string')
    return refuse('token_claims_invalid', 'cnf.jkt is not a string');
  return { ...(certificate !== undefined && { certificate }), ...(jkt !== undefined && { key: jkt }) };
}

/** The kinds of a token's bonds, the strongest first: one that nobody can use elsewhere, whatever they copy. */
export function bindingsOf({ certificate, key, workloads }: Bonds): readonly Exclude<TokenBinding, 'none'>[] {
  return [
    ...(certificate !== undefined ? (['x5t#S256'] as const) : []),
    ...(key !== undefined ? (['dpop'] as const) : []),
    ...(workloads !== undefined ? (['spiffe'] as const) : []),
  ];
}

/** Why this certificate is not the one that a token is bound to; undefined where it is. */
export function checkCertificate(
  bound: string,
  peerThumbprint: string | undefined,
): Refusal<'token_binding_mismatch'> | undefined {
  if (peerThumbprint === undefined)
    return refuse('token_binding_mismatch', 'the token is bound to a certificate, and none was presented');
  if (!equal(bound, peerThumbprint))
    return refuse(
      'token_binding_mismatch',
      'the token is bound to another certificate than the one presented',
    );
  return undefined;
}

/** The same for the SPIFFE ID of who presents it. */
export function checkWorkload(
  workloads: readonly string[],
  presenter: string | undefined,
): Refusal<'token_binding_mismatch'> | undefined {
  if (presenter !== undefined && workloads.includes(presenter)) return undefined;
  return refuse(
    'token_binding_mismatch',
    workloads.length === 0
      ? 'the claims name no workload that may present the token'
      : 'the claims name another workload than the one that presented the token',
  );
}

function equal(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
