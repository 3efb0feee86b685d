import type { WorkloadIdentity } from '../identity/types.js';
import type { RevocableToken, Revocation, Target } from './types.js';

/** By which of its targets an entry is found: the one that the fewest entries share. */
const FOUND_BY: readonly Target[] = ['jti', 'session', 'subject', 'client', 'spiffe_id', 'issuer'];

type Bucket = Map<string, readonly Revocation[]>;

/** Who acts with a token: its subject, or the outermost actor in its place, known by `sub`, `client_id` or both. */
interface Party {
  readonly issuer: string;
  readonly subject: string | undefined;
  readonly clientId?: string | undefined;
}

/**
 * Entries, arranged so that a request costs a look-up for each kind of target that there is, however many entries
 * there are. An entry that has expired is there until it is taken out, and matches nothing.
 */
export class RevocationIndex {
  private readonly buckets: { readonly [target in Target]: Bucket } = {
    issuer: new Map(),
    subject: new Map(),
    client: new Map(),
    session: new Map(),
    jti: new Map(),
    spiffe_id: new Map(),
  };
  private count = 0;
  /**
   * Who was found on no entry, as of which change of this index: an entry refuses less as time goes on, and never more, so
   * that stays so until the next change. Certificates and tokens that are remembered come as the same object each time.
   */
  private changes = 0;
  private readonly clearIdentities = new WeakMap<WorkloadIdentity, number>();
  private readonly clearTokens = new WeakMap<
    RevocableToken,
    { identity: WorkloadIdentity; changes: number }
  >();
  /** Of entries that end with `/*`: where there are none, no path is taken apart. */
  private subtrees = 0;

  get size(): number {
    return this.count;
  }

  add(entry: Revocation): void {
    const [bucket, key] = this.placeOf(entry);
    bucket.set(key, [...(bucket.get(key) ?? []), entry]);
    this.changes++;
    this.count++;
    if (isSubtree(entry)) this.subtrees++;
  }

  /** Takes out this very object. */
  remove(entry: Revocation): void {
    const [bucket, key] = this.placeOf(entry);
    const there = bucket.get(key) ?? [];
    const left = there.filter((other) => other !== entry);
    if (left.length === there.length) return;
    if (left.length === 0) bucket.delete(key);
    else bucket.set(key, left);
    this.changes++;
    this.count--;
    if (isSubtree(entry)) this.subtrees--;
  }

  /** The entry that shuts this workload out, whatever token it brings. */
  ofIdentity(identity: WorkloadIdentity, now: number): Revocation | undefined {
    if (this.buckets.spiffe_id.size === 0 || this.clearIdentities.get(identity) === this.changes)
      return undefined;
    const found = this.walk(identity.spiffeId, (entry) => isBare(entry) && isInForce(entry, now));
    if (found === undefined) this.clearIdentities.set(identity, this.changes);
    return found;
  }

  /** The entry that shuts this token out, presented by this workload. */
  ofToken(token: RevocableToken, identity: WorkloadIdentity, now: number): Revocation | undefined {
    const clear = this.clearTokens.get(token);
    if (clear?.changes === this.changes && clear.identity === identity) return undefined;
    const found = this.look(token, identity, now);
    if (found === undefined) this.clearTokens.set(token, { identity, changes: this.changes });
    return found;
  }

  private look(token: RevocableToken, identity: WorkloadIdentity, now: number): Revocation | undefined {
    const { jti, session, subject, client, issuer, spiffe_id: workloads } = this.buckets;
    const { claims } = token;
    const actor = actorOf(token);
    const applies = (entry: Revocation) => matches(entry, token, actor, identity, now);
    let found: Revocation | undefined;
    if (jti.size > 0) found = find(jti, claims.jti, applies);
    if (!found && session.size > 0) found = find(session, claims.sid, applies);
    if (!found && subject.size > 0)
      found = find(subject, token.subject, applies) ?? find(subject, actor?.subject, applies);
    if (!found && client.size > 0)
      found =
        find(client, token.clientId, applies) ??
        find(client, claims.azp, applies) ??
        find(client, actor?.clientId, applies);
    if (!found && workloads.size > 0) found = this.ofPrincipals(token, actor, identity, now);
    if (!found && issuer.size > 0)
      found = find(issuer, token.issuer, applies) ?? find(issuer, actor?.issuer, applies);
    return found;
  }

  /** A token may speak for a workload (a JWT-SVID does, in `sub`) that is not the one that presents it. */
  private ofPrincipals(
    token: RevocableToken,
    actor: Party | undefined,
    identity: WorkloadIdentity,
    now: number,
  ): Revocation | undefined {
    const conditional = (entry: Revocation) => !isBare(entry) && matches(entry, token, actor, identity, now);
    const bare = (entry: Revocation) => isBare(entry) && isInForce(entry, now);
    for (const id of [token.subject, actor?.subject]) {
      if (id === undefined || !id.startsWith('spiffe://')) continue;
      const found = this.walk(id, bare);
      if (found) return found;
    }
    return this.walk(identity.spiffeId, conditional);
  }

  /** Entries for a SPIFFE ID: its own, those of all that it lies below, and its trust domain's. */
  private walk(id: string, applies: (entry: Revocation) => boolean): Revocation | undefined {
    const bucket = this.buckets.spiffe_id;
    const own = find(bucket, id, applies);
    if (own) return own;
    const root = id.indexOf('/', SCHEME);
    if (root < 0) return undefined;
    if (this.subtrees > 0)
      for (let slash = id.lastIndexOf('/'); slash >= root; slash = id.lastIndexOf('/', slash - 1)) {
        const found = find(bucket, `${id.slice(0, slash)}/*`, applies);
        if (found) return found;
      }
    return find(bucket, id.slice(0, root), applies);
  }

  private placeOf(entry: Revocation): [Bucket, string] {
    const target = FOUND_BY.find((name) => entry[name] !== undefined)!;
    return [this.buckets[target], entry[target]!];
  }
}

const SCHEME = 'spiffe://'.length;

function find(bucket: Bucket, key: unknown, applies: (entry: Revocation) => boolean): Revocation | undefined {
  return typeof key === 'string' ? bucket.get(key)?.find(applies) : undefined;
}

function isSubtree({ spiffe_id: id }: Revocation): boolean {
  return id !== undefined && id.endsWith('/*');
}

/** It is about a workload alone, with or without a token. */
function isBare({ issuer, subject, client, session, jti }: Revocation): boolean {
  return (issuer ?? subject ?? client ?? session ?? jti) === undefined;
}

function isInForce({ expires }: Revocation, now: number): boolean {
  // Put this way round, a clock that gives no number lets every entry stand.
  return expires === undefined || !(now >= expires * 1000);
}

function matches(
  entry: Revocation,
  token: RevocableToken,
  actor: Party | undefined,
  identity: WorkloadIdentity,
  now: number,
): boolean {
  if (!isInForce(entry, now)) return false;
  const { claims } = token;
  if (entry.jti !== undefined && entry.jti !== claims.jti) return false;
  if (entry.session !== undefined && entry.session !== claims.sid) return false;
  if (entry.spiffe_id !== undefined && !covers(entry.spiffe_id, identity.spiffeId)) return false;
  const isOwn =
    (entry.client === undefined || entry.client === token.clientId || entry.client === claims.azp) &&
    isOf(entry, token);
  if (!isOwn && !(actor !== undefined && isOfActor(entry, actor))) return false;
  // Without iat nobody knows that it was issued later.
  return entry.issued_before === undefined || !(token.issuedAt! >= entry.issued_before);
}

/** Subjects are unique to their issuer (RFC 7519 section 4.1.2), so the two are compared of one party. */
function isOf(entry: Revocation, party: Party): boolean {
  return (
    (entry.issuer === undefined || entry.issuer === party.issuer) &&
    (entry.subject === undefined || entry.subject === party.subject)
  );
}

/** What else a token says – its jti, its session – is its own issuer's word and not the actor's. */
function isOfActor(entry: Revocation, actor: Party): boolean {
  const { jti, session, client } = entry;
  if ((jti ?? session) !== undefined) return false;
  return (client === undefined || client === actor.clientId) && isOf(entry, actor);
}

/** Nested actors are history (RFC 8693 section 4.1), and history is not undone by a revocation. */
function actorOf(token: RevocableToken): Party | undefined {
  const { sub, client_id: clientId, iss } = token.actor ?? {};
  const subject = typeof sub === 'string' ? sub : undefined;
  const client = typeof clientId === 'string' ? clientId : undefined;
  if ((subject ?? client) === undefined) return undefined;
  return { subject, clientId: client, issuer: typeof iss === 'string' ? iss : token.issuer };
}

/** Whether an entry's `spiffe_id` – one workload, a subtree, a trust domain – includes this one. */
export function covers(pattern: string, id: string): boolean {
  if (pattern === id) return true;
  if (pattern.endsWith('/*')) return id.startsWith(pattern.slice(0, -1));
  return pattern.indexOf('/', SCHEME) < 0 && id.startsWith(`${pattern}/`);
}
