import { refuse, type Refusal } from '../errors/refusal.js';

/** A SPIFFE ID, taken apart (SPIFFE-ID section 2). */
export interface SpiffeId {
  /** `spiffe://trust-domain/path`, exactly as it was given. */
  readonly text: string;
  readonly trustDomain: string;
  /** With its leading slash; empty for the ID of the trust domain itself. */
  readonly path: string;
}

type Invalid = Refusal<'spiffe_id_invalid'>;

const SCHEME = 'spiffe://';
const MAX_ID_BYTES = 2048;
const MAX_TRUST_DOMAIN_BYTES = 255;
const TRUST_DOMAIN = /^[a-z0-9._-]+$/;
const SEGMENT = /^[A-Za-z0-9._-]+$/;

/**
 * Reads a SPIFFE ID as SPIFFE-ID section 2 writes it; nothing is normalised, so two IDs are the same
 * workload exactly when their texts are equal. The refusal says which rule was broken and never quotes the
 * text, which may be anyone's.
 */
export function parseSpiffeId(text: string): SpiffeId | Invalid {
  // Every character that passes below is ASCII, so for what is accepted UTF-16 units are bytes.
  if (text.length > MAX_ID_BYTES) return invalid(`longer than ${MAX_ID_BYTES} bytes`);
  if (!text.startsWith(SCHEME)) return invalid('does not begin with spiffe://');
  const slash = text.indexOf('/', SCHEME.length);
  const trustDomain = slash < 0 ? text.slice(SCHEME.length) : text.slice(SCHEME.length, slash);
  if (!isTrustDomainName(trustDomain)) {
    return invalid(`the trust domain is not 1 to ${MAX_TRUST_DOMAIN_BYTES} characters of a-z 0-9 . _ -`);
  }
  const path = slash < 0 ? '' : text.slice(slash);
  for (const segment of path.split('/').slice(1)) {
    if (segment === '') return invalid('a path segment is empty, or the path ends with /');
    if (segment === '.' || segment === '..') return invalid('a path segment is . or ..');
    if (!SEGMENT.test(segment)) return invalid('a path segment has a character beyond A-Z a-z 0-9 . _ -');
  }
  return { text, trustDomain, path };
}

/** {@link parseSpiffeId}, for an ID that has to name a workload: one that has a path. */
export function parseWorkloadId(text: string): SpiffeId | Invalid {
  const id = parseSpiffeId(text);
  return 'refused' in id || id.path !== '' ? id : invalid('names a trust domain, not a workload');
}

/** Whether this can be a trust domain's name (SPIFFE-ID section 2.1). */
export function isTrustDomainName(name: string): boolean {
  return name.length <= MAX_TRUST_DOMAIN_BYTES && TRUST_DOMAIN.test(name);
}

function invalid(rule: string): Invalid {
  return refuse('spiffe_id_invalid', `not a SPIFFE ID: ${rule}`);
}
