import type { Feed } from '../../src/feed/feed.js';
import { createCell } from '../../src/feed/cell.js';
import type { WorkloadIdentity } from '../../src/identity/types.js';
import { RevocationBook } from '../../src/revocation/book.js';
import { createRevocationCheck, type RevocationStatus } from '../../src/revocation/check.js';
import { isEntryFault, readEntry } from '../../src/revocation/entry.js';
import type { Revocation, Source } from '../../src/revocation/types.js';
import type { VerifiedToken } from '../../src/token/types.js';
import { frontend, NOW, ordersToken } from '../decision/fakes.js';

export { frontend, NOW, ordersToken };
export const SECONDS = NOW / 1000;

/** An entry out of what an operator would write. */
export function entry(said: object, source: Source = 'admin'): Revocation {
  const read = readEntry(said, { source, now: NOW });
  if (isEntryFault(read)) throw new Error(`${read.key} ${read.wrong}`);
  return read;
}

export function token(claims: { readonly [name: string]: unknown } = {}): VerifiedToken {
  const all = { iss: ordersToken.issuer, sub: 'alice', client_id: 'frontend', ...claims };
  const { iss, sub, client_id, act, iat = SECONDS } = all as { [name: string]: unknown };
  return {
    ...ordersToken,
    issuer: iss as string,
    subject: sub as string,
    clientId: client_id as string,
    issuedAt: iat as number,
    ...(act !== undefined && { actor: act as NonNullable<VerifiedToken['actor']> }),
    claims: all as VerifiedToken['claims'],
  };
}

export function workload(spiffeId: string): WorkloadIdentity {
  return { ...frontend, spiffeId };
}

/** The stage over a list that the test changes. */
export function listOf(...entries: Revocation[]) {
  const book = new RevocationBook();
  const status = createCell<RevocationStatus>({ loaded: true, entries: 0 });
  const check = createRevocationCheck({
    shards: book.shards as readonly Feed<readonly Revocation[]>[],
    status,
    maxStale: 60_000,
  });
  for (const one of entries) book.put('said', one);
  book.publish();
  return { book, status, check };
}

export const codeOf = (refusal: { readonly code: string } | undefined) => refusal?.code;
