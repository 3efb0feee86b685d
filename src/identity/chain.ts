import { refuse, type Refusal } from '../errors/refusal.js';
import { issuerFault } from './authority.js';
import type { Certificate } from './certificate.js';
import { withinConstraints } from './name-constraints.js';
import type { TrustBundle } from './trust-bundle.js';

/** Of a trust bundle, what a chain can end at. */
type Authorities = Pick<TrustBundle, 'trustDomain' | 'authorities'>;

/** When every certificate of the chain is valid: milliseconds since the epoch, both inclusive. */
export interface ChainValidity {
  readonly notBefore: number;
  readonly notAfter: number;
}

export type ChainCode =
  'certificate_untrusted' | 'certificate_expired' | 'certificate_not_yet_valid' | 'trust_bundle_unavailable';

const MAX_INTERMEDIATES = 8;
const MAX_SIGNATURES = 32;

/**
 * Finds a chain from a leaf to an authority of its trust domain's bundle (RFC 5280 section 6.1, without
 * policies and revocation). The leaf's own rules are readSvid's.
 *
 * A certificate is valid from the first millisecond of notBefore to notAfter itself. A leaf out of its time
 * is refused for that only where the chain above it held at the nearest moment of the leaf's own time, so
 * that nothing is said of the dates of a certificate that nobody ever vouched for.
 *
 * @param bundle of the leaf's own trust domain
 * @param intermediates in any order; what does not belong to the chain is passed over
 * @param now milliseconds since the epoch
 */
export function verifyChain(
  leaf: Certificate,
  intermediates: readonly Certificate[],
  bundle: Authorities,
  now: number,
): ChainValidity | Refusal<ChainCode> {
  if (bundle.authorities.length === 0) {
    return refuse('trust_bundle_unavailable', `the bundle of ${bundle.trustDomain} holds no authority`);
  }
  if (intermediates.length > MAX_INTERMEDIATES) {
    return refuse('certificate_untrusted', `the chain has more than ${MAX_INTERMEDIATES} intermediates`);
  }
  const { notBefore, notAfter } = leaf.fields;
  const search = new Search(intermediates, bundle, Math.min(Math.max(now, notBefore), notAfter));
  const chain = search.climb([leaf]);
  if (chain === undefined) return refuse('certificate_untrusted', search.explain());
  if (now > notAfter) return refuse('certificate_expired', `expired at ${timestamp(notAfter)}`);
  if (!(now >= notBefore)) return refuse('certificate_not_yet_valid', `valid from ${timestamp(notBefore)}`);
  return {
    notBefore: Math.max(...chain.map(({ fields }) => fields.notBefore)),
    notAfter: Math.min(...chain.map(({ fields }) => fields.notAfter)),
  };
}

class Search {
  private signatures = 0;
  private fault: string | undefined;

  constructor(
    private readonly intermediates: readonly Certificate[],
    private readonly bundle: Authorities,
    private readonly at: number,
  ) {}

  /** Goes up from the last certificate of the path, depth first; no certificate stands in a path twice. */
  climb(path: readonly Certificate[]): readonly Certificate[] | undefined {
    for (const authority of this.bundle.authorities) {
      if (this.mayFollow(authority, path)) return [...path, authority];
    }
    for (const intermediate of this.intermediates) {
      if (path.includes(intermediate) || !this.mayFollow(intermediate, path)) continue;
      const chain = this.climb([...path, intermediate]);
      if (chain !== undefined) return chain;
    }
    return undefined;
  }

  /** Why nothing was found: the nearest miss, if there was one. */
  explain(): string {
    const nearest =
      this.fault === undefined ? '' : `; one that has the right name was passed over: ${this.fault}`;
    return `no authority of ${this.bundle.trustDomain} vouches for the certificate${nearest}`;
  }

  private mayFollow(issuer: Certificate, path: readonly Certificate[]): boolean {
    const subject = path.at(-1)!;
    if (!subject.x509.checkIssued(issuer.x509)) return false;
    const fault = this.linkFault(issuer, path, subject);
    this.fault ??= fault;
    return fault === undefined;
  }

  private linkFault(
    issuer: Certificate,
    path: readonly Certificate[],
    subject: Certificate,
  ): string | undefined {
    const { notBefore, notAfter, pathLength, nameConstraints } = issuer.fields;
    const fault = issuerFault(issuer.fields);
    if (fault !== undefined) return fault;
    if (!(notBefore <= this.at && this.at <= notAfter)) return 'it is not valid at this time';
    // A self-issued certificate does not count (RFC 5280 section 4.2.1.9); the path's first is the leaf.
    const below = path.slice(1).filter(({ fields }) => !fields.selfIssued).length;
    if (pathLength !== undefined && below > pathLength) return 'its path length is exceeded';
    if (nameConstraints && !path.every(({ fields }) => withinConstraints(fields, nameConstraints))) {
      return 'its name constraints are not met';
    }
    if (!subject.fields.strongSignature) return 'the signature below it uses a weak algorithm';
    if (++this.signatures > MAX_SIGNATURES) return 'too many signatures would have to be verified';
    return isSignedBy(subject, issuer) ? undefined : 'its key did not sign the certificate below it';
  }
}

function isSignedBy(subject: Certificate, issuer: Certificate): boolean {
  try {
    return subject.x509.verify(issuer.x509.publicKey);
  } catch {
    // node:crypto throws for a key that it cannot use; which keys those are is its OpenSSL's to say.
    return false;
  }
}

function timestamp(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
