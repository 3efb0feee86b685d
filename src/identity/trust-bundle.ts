import { isRefusal, refuse, type Refusal } from '../errors/refusal.js';
import { ExactNumber, parseExact, type ExactJson } from '../json/exact.js';
import { KeySet, readKeys } from '../jws/key-set.js';
import { issuerFault } from './authority.js';
import { readCertificate, splitDer, type Certificate } from './certificate.js';
import { decodeBase64, decodePem } from './pem.js';
import { isTrustDomainName } from './spiffe-id.js';

/** The authorities of one trust domain. */
export interface TrustBundle {
  readonly trustDomain: string;
  /** None: the domain has withdrawn all its keys, and nothing of it is trusted. */
  readonly authorities: readonly Certificate[];
  /** What signs its JWT-SVIDs. Each key has a `kid`, and none was ever asked to verify anything else. */
  readonly jwtAuthorities: KeySet;
  /** `spiffe_sequence`: grows with every change of the bundle. */
  readonly sequence?: bigint;
  /** `spiffe_refresh_hint`, in seconds. */
  readonly refreshHint?: number;
}

/** Every trust domain's bundle at one moment. It does not change; a newer one takes its place, whole. */
export class TrustBundles {
  private readonly domains: ReadonlyMap<string, TrustBundle>;

  /**
   * @param revision tells one set from another in logs and metrics
   * @param unavailable the domains that are known but have no bundle that may be used now, and why
   * @throws Error when a trust domain is named twice, as bundles are never merged
   */
  constructor(
    bundles: readonly TrustBundle[],
    readonly revision: number,
    private readonly unavailable: ReadonlyMap<string, string> = new Map(),
  ) {
    this.domains = new Map(bundles.map((bundle) => [bundle.trustDomain, bundle]));
    if (this.domains.size !== bundles.length) throw new Error('a trust domain has two bundles');
  }

  get(trustDomain: string): TrustBundle | undefined {
    return this.domains.get(trustDomain);
  }

  /** The same, with what to answer a workload of a domain that has no bundle here. */
  find(trustDomain: string): TrustBundle | Refusal<'trust_domain_unknown' | 'trust_bundle_unavailable'> {
    const bundle = this.domains.get(trustDomain);
    if (bundle !== undefined) return bundle;
    const why = this.unavailable.get(trustDomain);
    return why === undefined
      ? refuse('trust_domain_unknown', `there is no trust bundle for ${trustDomain}`)
      : refuse('trust_bundle_unavailable', `the trust bundle of ${trustDomain} cannot be used: ${why}`);
  }
}

/** Where the bundles in force come from. */
export interface TrustBundleSource {
  /** The same object until something changed: whoever verified against it may rely on that. */
  current(): TrustBundles;
}

type Malformed = Refusal<'trust_bundle_malformed'>;

/**
 * Reads the trust bundle of one domain: PEM roots, or a SPIFFE bundle. It is taken whole or not at all: one
 * authority that cannot be used refuses the bundle.
 *
 * @param trustDomain as configured; it is never inferred from what the bundle holds
 */
export function parseTrustBundle(trustDomain: string, text: string): TrustBundle | Malformed {
  return /^\s*\{/.test(text) ? parseSpiffeBundle(trustDomain, text) : parseRoots(trustDomain, text);
}

function parseRoots(trustDomain: string, text: string): TrustBundle | Malformed {
  const blocks = decodePem(text);
  if (isRefusal(blocks)) return malformed(`neither PEM certificates nor a JSON object: ${blocks.detail}`);
  return bundleOf(
    trustDomain,
    blocks.map((der, i) => ({ der, label: `certificate ${i + 1}` })),
  );
}

/**
 * Reads certificates as the Workload API sends them: one DER after the other, nothing between. Without any, the
 * domain is trusted no longer, which is no error.
 */
export function parseDerBundle(trustDomain: string, bytes: Buffer): TrustBundle | Malformed {
  const certificates = splitDer(bytes);
  if (certificates === undefined) return malformed('not one certificate in DER after the other');
  return bundleOf(
    trustDomain,
    certificates.map((der, i) => ({ der, label: `certificate ${i + 1}` })),
  );
}

/**
 * Reads a SPIFFE bundle (SPIFFE Trust Domain and Bundle, section 4), which is a JWK Set. One without X.509
 * authorities is no error, but of a domain that is trusted no longer.
 */
export function parseSpiffeBundle(trustDomain: string, text: string): TrustBundle | Malformed {
  const document = parseJwks(text);
  if (isRefusal(document)) return document;
  const { keys, spiffe_sequence: sequence, spiffe_refresh_hint: refreshHint } = document;
  if (sequence !== undefined && !isCount(sequence)) return malformed('spiffe_sequence is not a count');
  if (refreshHint !== undefined && (!isCount(refreshHint) || typeof refreshHint === 'bigint')) {
    return malformed('spiffe_refresh_hint is not a number of seconds');
  }
  const entries = readEntries(keys);
  if (isRefusal(entries)) return entries;
  const bundle = bundleOf(trustDomain, entries);
  if (isRefusal(bundle)) return bundle;
  return {
    ...bundle,
    jwtAuthorities: readKeys(keys, ({ use, kid }) => use === 'jwt-svid' && typeof kid === 'string'),
    ...(sequence !== undefined && { sequence: BigInt(sequence) }),
    ...(refreshHint !== undefined && { refreshHint }),
  };
}

/**
 * Reads the keys of JWT-SVIDs as the Workload API sends them: a JWK Set for this purpose alone, so that `use` may
 * be missing (SPIRE leaves it out), while an entry for anything else is still passed over.
 */
export function parseJwtAuthorities(text: string): KeySet | Malformed {
  const document = parseJwks(text);
  if (isRefusal(document)) return document;
  return readKeys(
    document.keys,
    ({ use, kid }) => (use === undefined || use === 'jwt-svid') && typeof kid === 'string',
  );
}

function parseJwks(text: string): (JwksMembers & { keys: ExactJson[] }) | Malformed {
  let document: ExactJson;
  try {
    document = parseExact(text);
  } catch (error) {
    return malformed(`not JSON: ${(error as SyntaxError).message}`);
  }
  if (!isObject(document)) return malformed('not a JSON object');
  const { keys } = document;
  return Array.isArray(keys) ? { ...document, keys } : malformed('it has no array `keys`');
}

interface JwksMembers {
  readonly [name: string]: ExactJson | undefined;
}

function bundleOf(trustDomain: string, entries: readonly Entry[]): TrustBundle | Malformed {
  if (!isTrustDomainName(trustDomain)) return malformed('its trust domain is not the name of one');
  const authorities = readAuthorities(entries);
  return isRefusal(authorities) ? authorities : { trustDomain, authorities, jwtAuthorities: new KeySet([]) };
}

interface Entry {
  readonly der: Buffer;
  /** Names the entry in errors. */
  readonly label: string;
}

const KEY_TYPES: readonly unknown[] = ['EC', 'RSA', 'OKP'];

/** What is not an X.509 authority, or of a kind yet unknown, is passed over (section 4.2.2). */
function readEntries(keys: readonly ExactJson[]): Entry[] | Malformed {
  const entries: Entry[] = [];
  for (const [i, key] of keys.entries()) {
    const label = `keys[${i}]`;
    if (!isObject(key)) return malformed(`${label} is not an object`);
    if (key.use !== 'x509-svid' || !KEY_TYPES.includes(key.kty)) continue;
    const first = Array.isArray(key.x5c) ? key.x5c[0] : undefined;
    const der = typeof first === 'string' ? decodeBase64(first) : undefined;
    if (der === undefined) return malformed(`${label} has no certificate in x5c`);
    entries.push({ der, label });
  }
  return entries;
}

function readAuthorities(entries: readonly Entry[]): Certificate[] | Malformed {
  const authorities: Certificate[] = [];
  for (const { der, label } of entries) {
    const certificate = readCertificate(der);
    if (isRefusal(certificate)) return malformed(`${label}: ${certificate.detail}`);
    const fault = issuerFault(certificate.fields);
    if (fault !== undefined) return malformed(`${label} cannot be an authority: ${fault}`);
    authorities.push(certificate);
  }
  return authorities;
}

function isObject(value: ExactJson): value is { [name: string]: ExactJson } {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof ExactNumber)
  );
}

function isCount(value: ExactJson): value is number | bigint {
  return (typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value))) && value >= 0;
}

function malformed(what: string): Malformed {
  return refuse('trust_bundle_malformed', `not a trust bundle: ${what}`);
}
