import type { UpstreamToken } from '../../src/broker/types.js';
import type { RequestFacts } from '../../src/decision/facts.js';
import type { PipelineOptions } from '../../src/decision/pipeline.js';
import { createPipeline } from '../../src/decision/pipeline.js';
import { refuse } from '../../src/errors/refusal.js';
import type { WorkloadIdentity } from '../../src/identity/types.js';
import type { Policy, PolicyResult } from '../../src/policy/types.js';
import type { VerifiedToken } from '../../src/token/types.js';

export const NOW = Date.UTC(2030, 0, 1);

export const frontend: WorkloadIdentity = {
  spiffeId: 'spiffe://example.org/frontend',
  trustDomain: 'example.org',
  path: '/frontend',
  notAfter: NOW + 3_600_000,
  fingerprint: 'ab'.repeat(32),
  source: 'certificate',
  thumbprint: 'q'.repeat(43),
};

export const ordersToken: VerifiedToken = {
  issuer: 'https://idp.example.org',
  subject: 'alice',
  clientId: 'frontend',
  audience: ['orders'],
  scopes: ['orders:read'],
  roles: [],
  groups: [],
  claims: { sub: 'alice' },
  issuedAt: NOW / 1000 - 10,
  expiresAt: NOW / 1000 + 300,
  binding: 'none',
  bindings: [],
  actors: [],
};

export const permit: PolicyResult = {
  allowed: true,
  headers: [],
  responseHeadersToAdd: [],
  requestHeadersToRemove: [],
  queryParametersToSet: [],
  queryParametersToRemove: [],
  reasons: [],
  requiredScopes: [],
};

export function facts(overrides: Partial<RequestFacts> = {}): RequestFacts {
  return {
    peer: {
      certificate: 'leaf',
      principal: frontend.spiffeId,
      forwardedClientCert: [],
      header: () => [],
      path: '/orders',
    },
    destination: '',
    authorization: ['Bearer x'],
    header: () => [],
    route: {},
    forgedHeaders: [],
    http: { method: 'GET', path: '/orders', rawPath: '/orders', query: '', host: 'shop', scheme: 'https' },
    envoyInput: { attributes: {}, version: { ext_authz: 'v3' } },
    ...overrides,
  };
}

export function policy(evaluate: Policy['evaluate'] = () => permit, revision = 'r1'): Policy {
  return { revision, entrypoints: ['mesh/authz/decision', 'mesh/authz/other'], evaluate };
}

/** A pipeline that allows everything, with the parts replaced that a test is about. */
export function pipeline(overrides: Partial<PipelineOptions> = {}) {
  const inForce = policy();
  return createPipeline({
    identity: { verify: () => frontend },
    destination: () => undefined,
    token: {
      verify: ({ authorization }) => (authorization.length > 0 ? ordersToken : refuse('token_missing', '')),
    },
    tokenMode: 'required',
    policy: () => inForce,
    entrypoint: 'mesh/authz/decision',
    now: () => NOW,
    ...overrides,
  });
}

/** What a policy may ask for its upstream. */
export const wish = { from: 'idp', audience: 'https://billing.example.org', scopes: ['billing:read'] };

/** What is obtained then. */
export const upstreamToken: UpstreamToken = {
  header: 'authorization',
  value: 'Bearer s3cret-token',
  ...wish,
  obtained: 'server',
  expiresAt: NOW + 300_000,
};

/** A pipeline whose policy wants that, and which obtains it. */
export const brokered: Partial<PipelineOptions> = {
  policy: () => policy(() => ({ ...permit, upstreamToken: wish })),
  broker: { obtain: () => upstreamToken },
};
