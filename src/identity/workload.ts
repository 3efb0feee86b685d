import { LRUCache } from 'lru-cache';
import { isRefusal } from '../errors/refusal.js';
import type { PathTemplate } from './path-template.js';
import { parseWorkloadId, type SpiffeId } from './spiffe-id.js';
import type { Workload } from './types.js';

/** A SPIFFE ID with what its path says by the template. */
export function describeWorkload({ text, trustDomain, path }: SpiffeId, template: PathTemplate): Workload {
  const kubernetes = template(path);
  return { spiffeId: text, trustDomain, path, ...(kubernetes && { kubernetes }) };
}

/** One Envoy says the same of itself in every request, and an engine serves few of them. */
const MOST = 1000;

/**
 * Reads `destination.principal`: the first URI name of the certificate that Envoy itself shows, and so what Envoy's
 * own configuration says. It is held to the rules of a SPIFFE ID, and nothing else vouches for it. Where it is none,
 * there is no destination: undefined.
 *
 * The same principal gives the same object, so that others may remember what they made of it.
 */
export function createDestinationReader(template: PathTemplate): (principal: string) => Workload | undefined {
  const known = new LRUCache<string, { workload: Workload | undefined }>({ max: MOST });
  return (principal) => {
    if (principal === '') return undefined;
    let entry = known.get(principal);
    if (entry === undefined) {
      const id = parseWorkloadId(principal);
      entry = { workload: isRefusal(id) ? undefined : describeWorkload(id, template) };
      known.set(principal, entry);
    }
    return entry.workload;
  };
}
