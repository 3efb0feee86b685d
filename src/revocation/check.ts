import { refuse } from '../errors/refusal.js';
import type { Feed } from '../feed/feed.js';
import { sameEntry } from './entry.js';
import { RevocationIndex } from './revocation-index.js';
import type { Revocation, RevocationCheck } from './types.js';

/** How the list stands where it is kept. Plain data. */
export interface RevocationStatus {
  /** Every source has been read once. */
  readonly loaded: boolean;
  /** Milliseconds since the epoch: since then nobody knows what other replicas were told. */
  readonly unreachableSince?: number;
  readonly entries: number;
  /** Why the file's newest text is not in force. */
  readonly fileError?: string;
  /** Why the store does not answer. */
  readonly storeError?: string;
}

export interface RevocationCheckOptions {
  /** The list, in parts. */
  readonly shards: readonly Feed<readonly Revocation[]>[];
  readonly status: Feed<RevocationStatus>;
  /** Milliseconds for which the list serves while its store cannot be reached. */
  readonly maxStale: number;
}

/** What a part of the list was last arranged as, by id: the file and an operator may say the same. */
interface Arranged {
  readonly file: Map<string, Revocation>;
  readonly said: Map<string, Revocation>;
}

/**
 * The stage, over a list that may be kept in another process. It holds that list in its own index, and nothing is
 * let in before all parts of the list are here.
 */
export function createRevocationCheck({ shards, status, maxStale }: RevocationCheckOptions): RevocationCheck {
  const index = new RevocationIndex();
  const arranged: Arranged[] = shards.map(() => ({ file: new Map(), said: new Map() }));
  let missing = shards.length;
  let standing = status.latest();
  status.onChange((state) => (standing = state));

  shards.forEach((shard, number) => {
    let here = false;
    const take = (entries: readonly Revocation[]) => {
      if (!here) missing--;
      here = true;
      rearrange(index, arranged[number]!, entries);
    };
    const first = shard.latest();
    if (first !== undefined) take(first);
    shard.onChange(take);
  });

  function unavailable(now: number) {
    if (missing > 0 || standing === undefined || !standing.loaded)
      return refuse('revocation_unavailable', 'the list of what was revoked has not been read yet');
    const since = standing.unreachableSince;
    // Put this way round, a clock that gives no number makes the list too old.
    return since === undefined || now - since <= maxStale
      ? undefined
      : refuse('revocation_unavailable', 'the store of revocations cannot be reached for too long');
  }

  return {
    identity(identity, now) {
      const wanting = unavailable(now);
      if (wanting !== undefined) return wanting;
      if (index.size === 0) return undefined;
      const found = index.ofIdentity(identity, now);
      return found && refuse('identity_revoked', told(found));
    },
    available: (now) => unavailable(now) === undefined,
    token(token, identity, now) {
      if (index.size === 0) return undefined;
      const found = index.ofToken(token, identity, now);
      return found && refuse('token_revoked', told(found));
    },
  };
}

/** For the operator's log; what the entry says of somebody stands beside it, in the decision's own fields. */
function told({ id, reason }: Revocation): string {
  return reason === undefined ? `revoked by entry ${id}` : `revoked by entry ${id}: ${reason}`;
}

function rearrange(index: RevocationIndex, { file, said }: Arranged, entries: readonly Revocation[]): void {
  for (const entry of entries) {
    const layer = entry.source === 'file' ? file : said;
    const there = layer.get(entry.id);
    if (there === entry || (there !== undefined && sameEntry(there, entry))) continue;
    // The new one first: at no moment does neither stand.
    index.add(entry);
    if (there !== undefined) index.remove(there);
    layer.set(entry.id, entry);
  }
  if (file.size + said.size === entries.length) return;
  const wanted = new Set(entries.map(({ source, id }) => `${source === 'file'} ${id}`));
  for (const layer of [file, said])
    for (const [id, entry] of layer) {
      if (wanted.has(`${layer === file} ${id}`)) continue;
      index.remove(entry);
      layer.delete(id);
    }
}
