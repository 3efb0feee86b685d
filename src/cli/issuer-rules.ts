import type { IssuerConfig } from '../config/schema.js';
import { matchSpiffeIds } from '../identity/spiffe-id-pattern.js';
import { parseClaimPath, type ClaimMapping } from '../token/claim-mapping.js';
import { workloadTable, workloadTemplate } from '../token/workload-rule.js';
import type { TrustedIssuer } from '../token/verifier.js';

export type IssuerRules = Pick<
  IssuerConfig,
  | 'issuer'
  | 'audiences'
  | 'algorithms'
  | 'profile'
  | 'max_lifetime'
  | 'clock_skew'
  | 'claims'
  | 'presenters'
  | 'binding'
  | 'workload'
  | 'actor'
>;

/** What an issuer's tokens are held to, from its entry in the configuration; its keys come from elsewhere. */
export function issuerRules(issuer: IssuerRules): Omit<TrustedIssuer, 'keys'> {
  return {
    issuer: issuer.issuer,
    audiences: issuer.audiences,
    algorithms: issuer.algorithms,
    profile: issuer.profile,
    maxLifetime: issuer.max_lifetime,
    clockSkew: issuer.clock_skew,
    mapping: mapping(issuer.claims),
    ...(issuer.binding !== undefined && { binding: issuer.binding }),
    ...(issuer.workload && { workload: workloadRule(issuer.workload) }),
    ...(issuer.actor && { actor: workloadRule(issuer.actor) }),
    ...(issuer.presenters && { presenters: matchSpiffeIds(issuer.presenters) }),
  };
}

function workloadRule({ spiffe_id: template, claim, spiffe_ids: ids }: NonNullable<IssuerRules['workload']>) {
  return template === undefined ? workloadTable(claim!, ids!) : workloadTemplate(template);
}

function mapping({ scopes, roles, groups }: IssuerRules['claims']): ClaimMapping {
  return {
    scopes: scopes.map(parseClaimPath),
    roles: roles.map(parseClaimPath),
    groups: groups.map(parseClaimPath),
  };
}
