import { readFile } from 'node:fs/promises';
import type { Config } from '../../config/schema.js';
import { parseSpiffeId } from '../../identity/spiffe-id.js';
import type { TrustBundle } from '../../identity/trust-bundle.js';
import { isRefusal } from '../../errors/refusal.js';
import type { BundleFeed } from '../../spiffe/bundle-feed.js';
import { createBundleFile } from '../../spiffe/bundle-file.js';
import { createFederatedBundle, type EndpointProfile } from '../../spiffe/federated-bundle.js';
import type { PartOptions } from './part.js';
import type { Agent } from './workload-api.js';

type TrustDomainConfig = Config['identity']['trust_domains'][string];
type FederationConfig = NonNullable<TrustDomainConfig['federation']>;

export interface BundleFeedOptions extends Pick<PartOptions, 'hub' | 'now'> {
  /** Milliseconds; what a domain says itself comes before it. */
  readonly maxStale: number;
  /** There where any domain's bundle comes from it. */
  readonly agent: Agent | undefined;
  /** The bundle in force of another domain, for an endpoint that belongs to it. */
  readonly inForce: (trustDomain: string) => TrustBundle | undefined;
}

/** How soon a source can be asked, and what it means that it fails. */
export type SourceKind =
  /** On this machine's disk: the operator mends it before the server starts. */
  | 'file'
  /** Elsewhere: the server starts without it. */
  | 'remote'
  /** Elsewhere, and verified with a bundle that has to be here first. */
  | 'dependent';

/** The source of one trust domain's bundle, as the configuration has it. */
export function createBundleFeed(
  trustDomain: string,
  domain: TrustDomainConfig,
  options: BundleFeedOptions,
): BundleFeed & { readonly kind: SourceKind } {
  const common = {
    trustDomain,
    maxStale: domain.max_stale ?? options.maxStale,
    readFile: (path: string) => readFile(path, 'utf8'),
    now: options.now,
    hub: options.hub,
  };
  if (domain.bundle !== undefined)
    return { ...createBundleFile({ ...common, path: domain.bundle }), kind: 'file' };
  const { federation } = domain;
  // The schema lets a domain have one of the three.
  if (federation === undefined)
    return {
      feeds: [],
      source: options.agent!.bundles!.source(trustDomain, common.maxStale),
      kind: 'remote',
    };
  const profile = profileOf(federation, options);
  const feed = createFederatedBundle({
    ...common,
    url: federation.url,
    profile,
    minRefresh: federation.min_refresh,
    maxRefresh: federation.max_refresh,
  });
  const dependent = profile.kind === 'https_spiffe' && typeof profile.bundle === 'function';
  return { ...feed, kind: dependent ? 'dependent' : 'remote' };
}

/** The schema holds the keys of each profile together. */
function profileOf(
  { profile, ca, endpoint_spiffe_id: spiffeId = '', bootstrap }: FederationConfig,
  { inForce }: BundleFeedOptions,
): EndpointProfile {
  if (profile === 'https_web') return { kind: profile, ...(ca !== undefined && { ca }) };
  const id = parseSpiffeId(spiffeId);
  const itsDomain = isRefusal(id) ? '' : id.trustDomain;
  return {
    kind: profile,
    spiffeId,
    bundle: bootstrap === undefined ? () => inForce(itsDomain) : { file: bootstrap },
  };
}
