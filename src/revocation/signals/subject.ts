import { isRefusal } from '../../errors/refusal.js';
import { parseSpiffeId } from '../../identity/spiffe-id.js';
import type { ExactJson } from '../../json/exact.js';
import type { JsonObject } from '../../jws/compact.js';
import type { Target } from '../types.js';
import { isObject } from './set.js';

/** One way in which requests say who they are of; several are alternatives of each other. */
export type Named = { readonly [name in Target]?: string };

/** Whose subjects a transmitter may speak of. */
export interface Remit {
  readonly issuers: readonly string[];
  readonly trustDomains: readonly string[];
}

/** What a subject of its own is, where its format does not say: a member of a complex subject does by its name. */
export type Role = 'subject' | 'session' | 'client';

/** `foreign`: the transmitter may not speak of it; `unknown`: nothing in a request could be it. */
export type Subject = readonly Named[] | 'foreign' | 'unknown';

/** Members of a complex subject that requests say something of. The others only narrow it. */
const MEMBERS: { readonly [member: string]: Role } = {
  user: 'subject',
  session: 'session',
  application: 'client',
};

/**
 * Reads a subject identifier (RFC 9493, Shared Signals section 3) as what requests say of themselves. What narrows it by
 * something that no request tells – a device, a tenant – is left aside, so that more is refused, and never less.
 *
 * @param roles what an opaque identifier is that stands by itself
 */
export function readSubject(subject: JsonObject, remit: Remit, roles: readonly Role[]): Subject {
  if (subject.format === 'complex' || (subject.format === undefined && isComplex(subject)))
    return readComplex(subject, remit);
  // Every other format tells a user, or tells by itself what it is.
  const possible: readonly Role[] = subject.format === 'opaque' ? roles : ['subject'];
  return either(possible.map((role) => readSimple(subject, remit, role)));
}

function isComplex(subject: JsonObject): boolean {
  return Object.keys(MEMBERS).some((member) => isObject(subject[member]));
}

function readComplex(subject: JsonObject, remit: Remit): Subject {
  let all: readonly Named[] | undefined;
  for (const [member, role] of Object.entries(MEMBERS)) {
    const part = subject[member];
    if (!isObject(part)) continue;
    const named = readSimple(part, remit, role);
    if (named === 'foreign') return 'foreign';
    if (named === 'unknown') continue;
    all = all === undefined ? named : both(all, named);
  }
  return all === undefined || all.length === 0 ? 'unknown' : all;
}

/** Both at once; what names two issuers is nobody. */
function both(some: readonly Named[], others: readonly Named[]): Named[] {
  return some.flatMap((a) =>
    others.flatMap((b) =>
      a.issuer !== undefined && b.issuer !== undefined && a.issuer !== b.issuer ? [] : [{ ...a, ...b }],
    ),
  );
}

function readSimple(subject: JsonObject, remit: Remit, role: Role): Subject {
  switch (subject.format) {
    case 'iss_sub':
      return ofIssuer(subject.iss, remit, role, subject.sub);
    case 'jwt_id':
      return ofIssuer(subject.iss, remit, 'jti', subject.jti);
    case 'opaque':
      return ofAll(remit, role, subject.id);
    case 'email':
      return ofAll(remit, role, subject.email);
    case 'account':
      return ofAll(remit, role, subject.uri);
    case 'did':
      return ofAll(remit, role, subject.url);
    case 'uri':
      return readUri(subject.uri, remit, role);
    case 'aliases':
      return readAliases(subject.identifiers, remit, role);
    default:
      return 'unknown';
  }
}

function readAliases(identifiers: ExactJson | undefined, remit: Remit, role: Role): Subject {
  if (!Array.isArray(identifiers)) return 'unknown';
  // RFC 9493 section 3.2.8: aliases do not nest.
  const plain = identifiers.filter(isObject).filter(({ format }) => format !== 'aliases');
  return either(plain.map((one) => readSimple(one, remit, role)));
}

/** Any of them; what is foreign among what is not is left aside. */
function either(subjects: readonly Subject[]): Subject {
  const named = subjects.flatMap((one) => (typeof one === 'string' ? [] : one));
  if (named.length > 0) return named;
  return subjects.includes('foreign') ? 'foreign' : 'unknown';
}

function readUri(uri: ExactJson | undefined, remit: Remit, role: Role): Subject {
  if (typeof uri !== 'string' || !uri.startsWith('spiffe://')) return ofAll(remit, role, uri);
  const id = parseSpiffeId(uri);
  if (isRefusal(id)) return 'unknown';
  return remit.trustDomains.includes(id.trustDomain) ? [{ spiffe_id: uri }] : 'foreign';
}

function ofIssuer(
  issuer: ExactJson | undefined,
  { issuers }: Remit,
  target: Target,
  value: ExactJson | undefined,
): Subject {
  if (typeof issuer !== 'string' || !isName(value)) return 'unknown';
  return issuers.includes(issuer) ? [{ issuer, [target]: value }] : 'foreign';
}

/** What does not say whose it is may be any issuer's that the transmitter speaks for. */
function ofAll({ issuers }: Remit, target: Target, value: ExactJson | undefined): Subject {
  return isName(value) ? issuers.map((issuer) => ({ issuer, [target]: value })) : 'unknown';
}

function isName(value: ExactJson | undefined): value is string {
  return typeof value === 'string' && value !== '';
}
