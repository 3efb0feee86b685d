/** A workload of the demo, with the files that curl and node:https take. */
export interface Workload {
  readonly spiffeId: string;
  readonly certPem: string;
  readonly keyPem: string;
}

/** What the demo's cases are told with. */
export interface Cast {
  readonly frontend: Workload;
  readonly reporting: Workload;
  /** Of a trust domain that Envoy's TLS accepts and Countersign was not told of. */
  readonly foreigner: Workload;
  readonly tokens: {
    /** For frontend: orders:read, audience orders, bound to frontend's certificate. */
    readonly bound: string;
    readonly expired: string;
    readonly otherAudience: string;
  };
}

/** One request and the answer it must get. */
export interface Case {
  readonly title: string;
  readonly workload: Workload;
  readonly method: string;
  readonly path: string;
  readonly token?: string;
  readonly headers?: { readonly [name: string]: string };
  readonly expect: { readonly status: number; readonly reason: string; readonly upstreamSpiffeId?: string };
}

/** The eight requests that show what Countersign is for. */
export function demoCases(cast: Cast): Case[] {
  const { frontend, reporting, foreigner, tokens } = cast;
  const read = { method: 'GET', path: '/orders/7' };
  const allowed = { status: 200, reason: 'allowed', upstreamSpiffeId: frontend.spiffeId };
  return [
    {
      title: 'its own token, its own workload',
      workload: frontend,
      ...read,
      token: tokens.bound,
      expect: allowed,
    },
    { title: 'no token', workload: frontend, ...read, expect: { status: 401, reason: 'token_missing' } },
    {
      title: 'token expired',
      workload: frontend,
      ...read,
      token: tokens.expired,
      expect: { status: 401, reason: 'token_expired' },
    },
    {
      title: 'wrong audience',
      workload: frontend,
      ...read,
      token: tokens.otherAudience,
      expect: { status: 401, reason: 'token_audience_mismatch' },
    },
    {
      title: 'scope too narrow',
      workload: frontend,
      method: 'POST',
      path: '/orders',
      token: tokens.bound,
      expect: { status: 403, reason: 'insufficient_scope' },
    },
    {
      title: 'right token, wrong workload',
      workload: reporting,
      ...read,
      token: tokens.bound,
      expect: { status: 401, reason: 'token_binding_mismatch' },
    },
    {
      title: 'foreign trust domain',
      workload: foreigner,
      ...read,
      token: tokens.bound,
      expect: { status: 403, reason: 'trust_domain_unknown' },
    },
    {
      title: 'forged identity header',
      workload: frontend,
      ...read,
      token: tokens.bound,
      headers: { 'x-countersign-spiffe-id': 'spiffe://example.org/ns/shop/sa/admin' },
      expect: allowed,
    },
  ];
}

/** What came back. */
export interface Seen {
  readonly status: number;
  readonly reason: string;
  /** `x-countersign-spiffe-id` as the upstream got it; absent when the request never got there. */
  readonly upstreamSpiffeId?: string;
}

/** Puts one case to Countersign: through a real Envoy, or as the CheckRequest that Envoy would send. */
export type Ask = (request: Case) => Promise<Seen>;

export function asExpected({ expect }: Case, seen: Seen): boolean {
  return (
    seen.status === expect.status &&
    seen.reason === expect.reason &&
    seen.upstreamSpiffeId === expect.upstreamSpiffeId
  );
}
