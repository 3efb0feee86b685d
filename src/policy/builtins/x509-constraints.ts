import { isIP } from 'node:net';
import type { GoUrl } from './go-url.js';
import type { Certificate } from './x509-certificate.js';
import { isDomain, readMailbox, type SubjectNames, type Subtrees } from './x509-names.js';

/** Comparisons of a name with a constraint, in one chain: whoever wrote the certificates chose how many of both. */
const MAX_COMPARISONS = 250_000;

/**
 * Whether every certificate of a chain has only names that the CAs above it may vouch for (RFC 5280 section
 * 4.2.1.10). What cannot be judged is not within.
 *
 * @param chain leaf first
 */
export function withinConstraints(chain: readonly Certificate[]): boolean {
  const budget = { left: MAX_COMPARISONS };
  return chain.every(({ extensions }, i) => {
    if (!extensions.all.some(({ oid }) => oid === '2.5.29.17')) return true;
    const above = chain.slice(i + 1).flatMap((ca) => ca.extensions.constraints ?? []);
    if (above.length === 0) return true;
    const names = normalize(extensions.names);
    if (names === undefined) return false;
    return above.every(({ permitted, excluded }) => isAllowed(names, permitted, excluded, budget));
  });
}

interface Names {
  readonly dns: readonly string[];
  readonly hosts: readonly string[];
  readonly mailboxes: readonly { local: string; domain: string }[];
  readonly addresses: readonly Buffer[];
}

/** Undefined where a name is of a form that constraints cannot be applied to. */
function normalize({ dns, uris, emails, addresses }: SubjectNames): Names | undefined {
  const hosts = uris.map(hostOf);
  const mailboxes = emails.map(readMailbox);
  if (!dns.every((name) => isDomain(name)) || hosts.includes(undefined) || mailboxes.includes(undefined)) {
    return undefined;
  }
  return { dns, hosts: hosts as string[], mailboxes: mailboxes as Names['mailboxes'][number][], addresses };
}

function hostOf(uri: GoUrl): string | undefined {
  const match = /^([^:[\]]+)(?::[^:]*)?$/.exec(uri.host.toLowerCase());
  const host = match?.[1];
  return host === undefined || isIP(host) !== 0 || !isDomain(host) ? undefined : host;
}

function isAllowed(names: Names, permitted: Subtrees, excluded: Subtrees, budget: { left: number }): boolean {
  const passes = <N, C>(
    found: readonly N[],
    allowed: readonly C[],
    denied: readonly C[],
    match: Match<N, C>,
  ) => {
    budget.left -= found.length * (allowed.length + denied.length);
    return (
      budget.left >= 0 &&
      found.every(
        (name) =>
          (allowed.length === 0 || allowed.some((constraint) => match(name, constraint, false))) &&
          !denied.some((constraint) => match(name, constraint, true)),
      )
    );
  };
  return (
    passes(names.addresses, permitted.ranges, excluded.ranges, inRange) &&
    passes(names.dns, permitted.dns, excluded.dns, inDomain) &&
    passes(names.hosts, permitted.uris, excluded.uris, inDomain) &&
    passes(names.mailboxes, permitted.emails, excluded.emails, isMailboxIn)
  );
}

type Match<N, C> = (name: N, constraint: C, excluding: boolean) => boolean;

function inRange(address: Buffer, range: Subtrees['ranges'][number]): boolean {
  const { mask } = range;
  return (
    address.length === mask.length &&
    address.every((byte, i) => (byte & mask[i]!) === (range.address[i]! & mask[i]!))
  );
}

/** A domain and those below it; with a leading dot, those below it alone. A wildcard is excluded with any that it covers. */
function inDomain(name: string, constraint: string, excluding: boolean): boolean {
  const [host, domain] = [name.toLowerCase(), constraint.toLowerCase()];
  if (domain === '' || host === domain) return true;
  if (host.endsWith(domain.startsWith('.') ? domain : `.${domain}`)) return true;
  const dot = domain.indexOf('.');
  return excluding && host.startsWith('*') && dot >= 0 && host.slice(host.indexOf('.')) === domain.slice(dot);
}

function isMailboxIn(
  mailbox: { local: string; domain: string },
  constraint: string,
  excluding: boolean,
): boolean {
  if (!constraint.includes('@')) return inDomain(mailbox.domain, constraint, excluding);
  const other = readMailbox(constraint);
  return other !== undefined && other.local === mailbox.local && other.domain === mailbox.domain;
}
