import { isIPv4, isIPv6 } from 'node:net';
import { toInteger } from '../number.js';
import { RegoSet, typeOf, type RegoNumber, type RegoObject, type RegoValue } from '../value.js';
import { BuiltinError } from './builtin.js';
import type { Certificate } from './x509-certificate.js';
import { withinConstraints } from './x509-constraints.js';
import { isSignedBy } from './x509-keys.js';
import { formatAddress } from './x509-values.js';

export interface VerifyOptions {
  /** The leaf must be for this host, or IP address. Empty, any. */
  readonly dnsName?: string;
  /** Nanoseconds since the epoch. */
  readonly now?: bigint;
  /** By Go's numbers; one of them must be allowed by every certificate. Empty, server authentication. */
  readonly usages?: readonly number[];
}

const SERVER_AUTH = 1;
const ANY_USAGE = 0;
const CERT_SIGN = 1 << 5;

/** As many as Go tries before it gives a chain up. */
const MAX_SIGNATURES = 100;

/**
 * A chain from the last certificate to the first, which is trusted, over any of those between, as Go's Verify
 * builds it (RFC 5280 section 6.1, without revocation). A chain that demands valid policies is refused: they are
 * not evaluated here.
 *
 * @returns leaf first; undefined where there is none, and where one cannot be judged
 */
export function verifyChain(
  certificates: readonly Certificate[],
  { dnsName = '', now = 0n, usages = [] }: VerifyOptions,
): readonly Certificate[] | undefined {
  const [root, ...others] = certificates;
  const leaf = others.pop();
  if (root === undefined || leaf === undefined) return undefined;
  if (!mayStandIn([], leaf, now, 'leaf')) return undefined;
  if (dnsName !== '' && !isFor(leaf, dnsName)) return undefined;
  const unique = others.filter((one, i) => others.findIndex(({ raw }) => raw.equals(one.raw)) === i);
  const chains = leaf.raw.equals(root.raw) ? [[leaf]] : new Search(root, unique, now).chainsFrom([leaf]);
  const wanted = usages.length === 0 ? [SERVER_AUTH] : usages;
  return chains.find(
    (chain) => !asksForPolicies(chain) && allowsUsage(chain, wanted) && withinConstraints(chain),
  );
}

class Search {
  private signatures = 0;

  constructor(
    private readonly root: Certificate,
    private readonly intermediates: readonly Certificate[],
    private readonly now: bigint,
  ) {}

  chainsFrom(chain: readonly Certificate[]): (readonly Certificate[])[] {
    const child = chain.at(-1)!;
    const chains: (readonly Certificate[])[] = [];
    if (this.root.subject.equals(child.issuer) && this.mayFollow(this.root, chain, 'root')) {
      chains.push([...chain, this.root]);
    }
    const candidates = this.intermediates.filter(({ subject }) => subject.equals(child.issuer));
    for (const candidate of candidates.sort((a, b) => plausibility(a, child) - plausibility(b, child))) {
      if (this.signatures > MAX_SIGNATURES) break;
      if (this.mayFollow(candidate, chain, 'intermediate'))
        chains.push(...this.chainsFrom([...chain, candidate]));
    }
    return chains;
  }

  private mayFollow(
    issuer: Certificate,
    chain: readonly Certificate[],
    as: 'root' | 'intermediate',
  ): boolean {
    if (++this.signatures > MAX_SIGNATURES) return false;
    if (chain.some((one) => isSame(one, issuer))) return false;
    return hasSigned(issuer, chain.at(-1)!) && mayStandIn(chain, issuer, this.now, as);
  }
}

/** Key identifiers say which issuer is meant: those that agree come first, then where one lacks it. */
function plausibility(issuer: Certificate, child: Certificate): number {
  const [subjectId, authorityId] = [issuer.extensions.subjectKeyId, child.extensions.authorityKeyId];
  if ((subjectId ?? EMPTY).equals(authorityId ?? EMPTY)) return 0;
  return subjectId === undefined || authorityId === undefined ? 1 : 2;
}

const EMPTY = Buffer.alloc(0);

/** Same name, same key, same alternative names: a loop, were it to stand in a chain again. */
function isSame(a: Certificate, b: Certificate): boolean {
  const names = (one: Certificate) =>
    one.extensions.all.find(({ oid }) => oid === '2.5.29.17')?.value.toString('hex');
  return a.subject.equals(b.subject) && a.spki.equals(b.spki) && names(a) === names(b);
}

function hasSigned(issuer: Certificate, child: Certificate): boolean {
  const { basicConstraints, keyUsage } = issuer.extensions;
  if (issuer.version === 3 && basicConstraints === undefined) return false;
  if (basicConstraints?.ca === false || (keyUsage !== 0 && (keyUsage & CERT_SIGN) === 0)) return false;
  return isSignedBy(child.signatureAlgorithm, child.tbs, child.signature, issuer.publicKey);
}

function mayStandIn(
  chain: readonly Certificate[],
  { notBefore, notAfter, extensions }: Certificate,
  now: bigint,
  as: 'leaf' | 'root' | 'intermediate',
): boolean {
  if (extensions.unhandledCritical.length > 0) return false;
  if (now < BigInt(notBefore) * 1_000_000n || now > BigInt(notAfter) * 1_000_000n) return false;
  const { basicConstraints } = extensions;
  if (as === 'intermediate' && basicConstraints?.ca !== true) return false;
  const { pathLength = -1n } = basicConstraints ?? {};
  return pathLength < 0n || BigInt(chain.length - 1) <= pathLength;
}

const ANY_POLICY = '2.5.29.32.0';

/**
 * Whether the chain demands that policies are valid all along (RFC 5280 section 6.1, explicit_policy come to
 * zero), or maps what must not be mapped. The root is trusted as it is.
 */
function asksForPolicies(chain: readonly Certificate[]): boolean {
  if (chain.length === 1) return false;
  let explicit = BigInt(chain.length);
  for (const { issuer, subject, extensions } of chain.slice(1, -1).reverse()) {
    if (explicit === 0n || extensions.policyMappings.flat().includes(ANY_POLICY)) return true;
    if (!issuer.equals(subject)) explicit -= 1n;
    const required = extensions.requireExplicitPolicy ?? explicit;
    if (required < explicit) explicit = required;
  }
  return explicit <= 1n || chain[0]!.extensions.requireExplicitPolicy === 0n;
}

function allowsUsage(chain: readonly Certificate[], wanted: readonly number[]): boolean {
  if (wanted.includes(ANY_USAGE)) return true;
  return wanted.some((usage) =>
    chain.every(({ extensions: { usages, unknownUsages } }) => {
      if (usages.length === 0 && unknownUsages.length === 0) return true;
      return usages.includes(ANY_USAGE) || usages.includes(usage);
    }),
  );
}

/** RFC 6125 section 6.4, by the alternative names alone. */
function isFor({ extensions: { names } }: Certificate, host: string): boolean {
  const literal = /^\[(.*)\]$/.exec(host)?.[1] ?? host;
  if (isIPv4(literal) || (isIPv6(literal) && !literal.includes('%'))) {
    const wanted = isIPv4(literal) ? literal : new URL(`http://[${literal}]`).hostname.slice(1, -1);
    return names.addresses.some((address) => formatAddress(address) === wanted);
  }
  const wanted = host.toLowerCase();
  return names.dns.some((pattern) =>
    isHostname(wanted, false) && isHostname(pattern, true)
      ? matches(pattern.toLowerCase(), wanted.replace(/\.$/, ''))
      : !['', '.'].includes(wanted) && wanted === pattern.toLowerCase(),
  );
}

function isHostname(text: string, pattern: boolean): boolean {
  const labels = (pattern ? text : text.replace(/\.$/, '')).split('.');
  if (text === '*') return false;
  return labels.every(
    (label, i) => (pattern && i === 0 && label === '*') || /^[A-Za-z0-9_][A-Za-z0-9_-]*$/.test(label),
  );
}

function matches(pattern: string, host: string): boolean {
  const [patterns, labels] = [pattern.split('.'), host.split('.')];
  if (patterns.length !== labels.length) return false;
  return patterns.every((label, i) => (i === 0 && label === '*') || label === labels[i]);
}

const USAGES = [
  'KeyUsageAny',
  'KeyUsageServerAuth',
  'KeyUsageClientAuth',
  'KeyUsageCodeSigning',
  'KeyUsageEmailProtection',
  'KeyUsageIPSECEndSystem',
  'KeyUsageIPSECTunnel',
  'KeyUsageIPSECUser',
  'KeyUsageTimeStamping',
  'KeyUsageOCSPSigning',
  'KeyUsageMicrosoftServerGatedCrypto',
  'KeyUsageNetscapeServerGatedCrypto',
  'KeyUsageMicrosoftCommercialCodeSigning',
  'KeyUsageMicrosoftKernelCodeSigning',
];

/** @throws BuiltinError for an option that OPA does not know, or of another type */
export function readOptions(given: RegoObject): VerifyOptions {
  const options: { dnsName?: string; now?: bigint; usages?: number[] } = {};
  for (const [name, value] of given) {
    if (typeof name !== 'string') continue;
    switch (name) {
      case 'DNSName':
        if (typeof value !== 'string') throw new BuiltinError("'DNSName' should be a string");
        options.dnsName = unquote(value);
        break;
      case 'CurrentTime':
        options.now = readInteger(name, value, 'should be a valid int64 number');
        break;
      case 'MaxConstraintComparisons':
        readInteger(name, value, 'should be a valid number');
        break;
      case 'KeyUsages':
        options.usages = readUsages(value);
        break;
      default:
        throw new BuiltinError('invalid key option');
    }
  }
  return options;
}

function unquote(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && text[start] === '"') start++;
  while (end > start && text[end - 1] === '"') end--;
  return text.slice(start, end);
}

function readInteger(name: string, value: RegoValue, fault: string): bigint {
  if (typeOf(value) !== 'number') throw new BuiltinError(`'${name}' should be a number`);
  const integer = toInteger(value as RegoNumber);
  if (integer === undefined || BigInt.asIntN(64, integer) !== integer)
    throw new BuiltinError(`'${name}' ${fault}`);
  return integer;
}

function readUsages(value: RegoValue): number[] {
  if (!Array.isArray(value) && !(value instanceof RegoSet)) {
    throw new BuiltinError("'KeyUsages' should be an Array or Set");
  }
  const usages = Array.from(value as Iterable<RegoValue>)
    .filter((usage) => typeof usage === 'string')
    .map((usage) => USAGES.indexOf(unquote(usage)));
  if (usages.includes(-1)) throw new BuiltinError("invalid entries for 'KeyUsages' found");
  return usages;
}
