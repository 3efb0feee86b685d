import { DerError, DerReader, TAG, readAll, readOnly } from '../../asn1/der.js';
import { RegoObject, type RegoValue } from '../value.js';
import { BuiltinError } from './builtin.js';
import { formatUrl, parseUrl, type GoUrl } from './go-url.js';
import { bytes, formatAddress, list, readIa5, texts } from './x509-values.js';

/** What a subjectAltName (RFC 5280 section 4.2.1.6) holds of the forms that Go reads. */
export interface SubjectNames {
  readonly dns: readonly string[];
  readonly emails: readonly string[];
  /** 4 or 16 bytes each. */
  readonly addresses: readonly Buffer[];
  readonly uris: readonly GoUrl[];
}

export const NO_NAMES: SubjectNames = { dns: [], emails: [], addresses: [], uris: [] };

/** @throws DerError */
export function readSubjectNames(value: Buffer): SubjectNames {
  const names = {
    dns: [] as string[],
    emails: [] as string[],
    addresses: [] as Buffer[],
    uris: [] as GoUrl[],
  };
  for (const { tag, content } of readAll(readOnly(value, TAG.SEQUENCE))) {
    if (tag === 0x81) names.emails.push(readIa5(content));
    else if (tag === 0x82) names.dns.push(readIa5(content));
    else if (tag === 0x86) names.uris.push(readUri(readIa5(content)));
    else if (tag === 0x87) {
      if (content.length !== 4 && content.length !== 16) throw new DerError('not an IP address');
      names.addresses.push(content);
    }
  }
  return names;
}

function readUri(text: string): GoUrl {
  try {
    const url = parseUrl(text);
    if (url.host !== '' && !isDomain(url.host)) throw new DerError('a URI with an invalid domain');
    return url;
  } catch (error) {
    throw error instanceof BuiltinError ? new DerError('not a URI') : error;
  }
}

/** As far as Go asks of a domain in a certificate; one of a constraint may start with a dot. */
export function isDomain(text: string, constraint = false): boolean {
  if (text === '') return true;
  const labels = (constraint && text.startsWith('.') ? text.slice(1) : text).split('.');
  return labels.every((label) => /^[!-~]+$/.test(label));
}

export function describeNames({ dns, emails, addresses, uris }: SubjectNames): [string, RegoValue][] {
  return [
    ['DNSNames', texts(dns)],
    ['EmailAddresses', texts(emails)],
    ['IPAddresses', list(addresses, formatAddress)],
    ['URIs', list(uris, describeUri)],
  ];
}

/** As Go's url.URL, whose user is not among what JSON gets to see. */
function describeUri(uri: GoUrl): RegoValue {
  return new RegoObject([
    ['Scheme', uri.scheme],
    ['Opaque', uri.opaque],
    ['User', uri.user === undefined ? null : new RegoObject([])],
    ['Host', fromBytes(uri.host)],
    ['Path', fromBytes(uri.path)],
    ['RawPath', uri.rawPath],
    ['OmitHost', uri.omitHost],
    ['ForceQuery', uri.forceQuery],
    ['RawQuery', uri.rawQuery],
    ['Fragment', fromBytes(uri.fragment)],
    ['RawFragment', uri.rawFragment],
  ]);
}

export function uriStrings(uris: readonly GoUrl[]): RegoValue {
  return list(uris, (uri) => fromBytes(formatUrl(uri)));
}

function fromBytes(text: string): string {
  return Buffer.from(text, 'latin1').toString();
}

/** The names that a CA is limited to (RFC 5280 section 4.2.1.10), permitted or excluded. */
export interface Subtrees {
  readonly dns: string[];
  readonly emails: string[];
  readonly uris: string[];
  readonly ranges: { readonly address: Buffer; readonly mask: Buffer }[];
}

export interface NameConstraints {
  readonly permitted: Subtrees;
  readonly excluded: Subtrees;
  /** Whether there is a name of a form that Go does not judge. */
  readonly unhandled: boolean;
}

export const noSubtrees = (): Subtrees => ({ dns: [], emails: [], uris: [], ranges: [] });

/** @throws DerError */
export function readNameConstraints(value: Buffer): NameConstraints {
  const reader = new DerReader(readOnly(value, TAG.SEQUENCE));
  const contents = [
    reader.optional(0xa0) ?? Buffer.alloc(0),
    reader.optional(0xa1) ?? Buffer.alloc(0),
  ] as const;
  reader.end();
  if (contents.every(({ length }) => length === 0)) throw new DerError('name constraints without names');
  let unhandled = false;
  const [permitted, excluded] = contents.map((content) => {
    const subtrees = noSubtrees();
    for (const subtree of readAll(content, TAG.SEQUENCE)) {
      if (!addSubtree(subtrees, new DerReader(subtree.content))) unhandled = true;
    }
    return subtrees;
  }) as [Subtrees, Subtrees];
  return { permitted, excluded, unhandled };
}

function addSubtree(subtrees: Subtrees, reader: DerReader): boolean {
  const { tag, content } = reader.next();
  if (tag === 0x87) {
    const half = content.length / 2;
    const mask = content.subarray(half);
    if ((half !== 4 && half !== 16) || !isMask(mask)) throw new DerError('not a range of IP addresses');
    subtrees.ranges.push({ address: content.subarray(0, half), mask });
    return true;
  }
  if (tag !== 0x81 && tag !== 0x82 && tag !== 0x86) return false;
  const text = readIa5(content);
  const isMailbox = tag === 0x81 && text.includes('@');
  if (isMailbox ? readMailbox(text) === undefined : !isDomain(text, true))
    throw new DerError('not a constraint');
  if (tag === 0x86 && /^(\d+\.){3}\d+$|:/.test(text)) throw new DerError('an IP address that limits URIs');
  (tag === 0x82 ? subtrees.dns : tag === 0x81 ? subtrees.emails : subtrees.uris).push(text);
  return true;
}

function isMask(mask: Buffer): boolean {
  return /^1*0*$/.test(Array.from(mask, (byte) => byte.toString(2).padStart(8, '0')).join(''));
}

/** A mailbox (RFC 2821 section 4.1.2) whose local part is not quoted; the domain in lower case. */
export function readMailbox(text: string): { local: string; domain: string } | undefined {
  const match = /^([A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+)@([!-?A-~]+)$/.exec(text);
  const [, local = '', domain = ''] = match ?? [];
  if (match === null || local.startsWith('.') || local.endsWith('.') || local.includes('..'))
    return undefined;
  return isDomain(domain) ? { local, domain: domain.toLowerCase() } : undefined;
}

export function describeConstraints(
  found: NameConstraints | undefined,
  critical: boolean,
): [string, RegoValue][] {
  const { permitted, excluded } = found ?? { permitted: noSubtrees(), excluded: noSubtrees() };
  const ranges = (subtrees: Subtrees) =>
    list(
      subtrees.ranges,
      ({ address, mask }) =>
        new RegoObject([
          ['IP', formatAddress(address)],
          ['Mask', bytes(mask)],
        ]),
    );
  return [
    ['PermittedDNSDomainsCritical', found !== undefined && critical],
    ['PermittedDNSDomains', texts(permitted.dns)],
    ['ExcludedDNSDomains', texts(excluded.dns)],
    ['PermittedIPRanges', ranges(permitted)],
    ['ExcludedIPRanges', ranges(excluded)],
    ['PermittedEmailAddresses', texts(permitted.emails)],
    ['ExcludedEmailAddresses', texts(excluded.emails)],
    ['PermittedURIDomains', texts(permitted.uris)],
    ['ExcludedURIDomains', texts(excluded.uris)],
  ];
}
