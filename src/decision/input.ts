import type { WorkloadIdentity } from '../identity/types.js';
import type { VerifiedToken } from '../token/types.js';
import type { RequestFacts } from './facts.js';

/**
 * The policy's input: OPA-Envoy's keys as they are, and beside them the facts that were verified.
 * `identity`, `token` and `request` are absent where there is none, so that a rule about them is undefined
 * rather than about an empty value. Times are seconds since the epoch. Reference: docs/policy.md.
 */
export function policyInput(
  facts: RequestFacts,
  identity: WorkloadIdentity,
  token: VerifiedToken | undefined,
): { readonly [name: string]: unknown } {
  return {
    ...facts.envoyInput,
    identity: {
      spiffe_id: identity.spiffeId,
      trust_domain: identity.trustDomain,
      path: identity.path,
      not_after: Math.floor(identity.notAfter / 1000),
      fingerprint: identity.fingerprint,
    },
    ...(token && { token: tokenInput(token) }),
    ...(facts.http && {
      request: {
        method: facts.http.method,
        path: facts.http.path,
        raw_path: facts.http.rawPath,
        query: facts.http.query,
        host: facts.http.host,
        scheme: facts.http.scheme,
      },
    }),
  };
}

function tokenInput(token: VerifiedToken): { readonly [name: string]: unknown } {
  // Members that are undefined are left out when the input is written as JSON.
  return {
    issuer: token.issuer,
    subject: token.subject,
    client_id: token.clientId,
    audience: token.audience,
    scopes: token.scopes,
    actor: token.actor,
    claims: token.claims,
    issued_at: token.issuedAt,
    expires_at: token.expiresAt,
    binding: token.binding,
  };
}
