import type { Revocation } from '../../revocation/types.js';

/** An entry in a line, for people. */
export function describeEntry(entry: Revocation): string {
  const { issuer, subject, client, session, jti, spiffe_id: workload } = entry;
  const named = Object.entries({ token: jti, session, subject, client }).flatMap(([what, value]) =>
    value === undefined ? [] : [`${what} ${value}`],
  );
  const parts: string[] = [];
  if (workload !== undefined) parts.push(describeWorkload(workload));
  if (named.length > 0) parts.push(`${named.join(' and ')}${issuer === undefined ? '' : ` of ${issuer}`}`);
  else if (issuer !== undefined) parts.push(`every token of ${issuer}`);
  let text = parts.join(', with ');
  if (entry.issued_before !== undefined) text += `, issued before ${date(entry.issued_before)}`;
  text += entry.expires === undefined ? ', until it is lifted' : `, until ${date(entry.expires)}`;
  const told = [entry.reason, entry.by === undefined ? undefined : `by ${entry.by}`].filter(Boolean);
  return told.length > 0 ? `${text} – ${told.join(', ')}` : text;
}

export function describeKept(kept: 'shared' | 'here'): string {
  return kept === 'shared'
    ? 'in force at this server, and within a second at every other one that shares its store'
    : 'in force at this server and kept for its restart; other replicas hear nothing of it (revocation.store is what they would share)';
}

function describeWorkload(id: string): string {
  if (id.endsWith('/*')) return `every workload below ${id.slice(0, -2)}`;
  return id.indexOf('/', 'spiffe://'.length) < 0 ? `every workload of ${id}` : `the workload ${id}`;
}

function date(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}
