import type { Workload, WorkloadIdentity } from '../identity/types.js';
import type { Transaction } from '../token/transaction-claims.js';
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
  destination?: Workload,
  transaction?: Transaction,
  userToken?: VerifiedToken,
): { readonly [name: string]: unknown } {
  const { http } = facts;
  // Members that are added to an object made by `...` cost twenty times as much.
  const input: { [name: string]: unknown } = Object.assign({}, facts.envoyInput);
  input.identity = identityInput(identity, destination);
  if (token) input.token = once(TOKENS, token, tokenInput);
  if (transaction) input.transaction = once(TRANSACTIONS, transaction, transactionInput);
  if (userToken) input.user_token = once(TOKENS, userToken, tokenInput);
  if (http)
    input.request = {
      method: http.method,
      path: http.path,
      raw_path: http.rawPath,
      query: http.query,
      host: http.host,
      scheme: http.scheme,
    };
  return input;
}

/** The stages hand out the same object for the same certificate and the same token: so they are written once. */
const IDENTITIES = new WeakMap<WorkloadIdentity, WeakMap<object, object>>();
const TOKENS = new WeakMap<VerifiedToken, object>();
const TRANSACTIONS = new WeakMap<Transaction, object>();

function once<K extends object>(made: WeakMap<K, object>, of: K, make: (of: K) => object): object {
  let value = made.get(of);
  if (value === undefined) made.set(of, (value = make(of)));
  return value;
}

const NOWHERE = {};

function identityInput(identity: WorkloadIdentity, destination: Workload | undefined): object {
  let made = IDENTITIES.get(identity);
  if (made === undefined) IDENTITIES.set(identity, (made = new WeakMap()));
  return once(made, destination ?? NOWHERE, () => ({
    ...callerInput(identity),
    ...(destination && { destination: workloadInput(destination) }),
  }));
}

function workloadInput({ spiffeId, trustDomain, path, kubernetes }: Workload): object {
  return {
    spiffe_id: spiffeId,
    trust_domain: trustDomain,
    path,
    ...(kubernetes && { namespace: kubernetes.namespace, service_account: kubernetes.serviceAccount }),
  };
}

function callerInput(identity: WorkloadIdentity): object {
  return {
    ...workloadInput(identity),
    source: identity.source,
    not_after: Math.floor(identity.notAfter / 1000),
    fingerprint: identity.fingerprint,
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
    roles: token.roles,
    groups: token.groups,
    actor: token.actor,
    actors: token.actors,
    claims: token.claims,
    issued_at: token.issuedAt,
    expires_at: token.expiresAt,
    binding: token.binding,
    bindings: token.bindings,
  };
}

function transactionInput(transaction: Transaction): object {
  return {
    issuer: transaction.issuer,
    txn: transaction.id,
    subject: transaction.subject,
    scopes: transaction.scopes,
    requesting_workload: transaction.requestingWorkload,
    context: transaction.context,
    requester_context: transaction.requesterContext,
    claims: transaction.claims,
    issued_at: transaction.issuedAt,
    expires_at: transaction.expiresAt,
  };
}
