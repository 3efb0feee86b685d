/** Whether a workload, by its SPIFFE ID, is one of those meant. */
export type SpiffeIdMatcher = (spiffeId: string) => boolean;

/**
 * A matcher for any of these patterns, which are SPIFFE IDs in which `*` stands for exactly one segment of the path
 * and `**` at the end for one or more; `spiffe://example.org/**` is every workload of that trust domain. Policies have
 * the same language (`matches` of policies/lib/spiffe.rego).
 */
export function matchSpiffeIds(patterns: readonly string[]): SpiffeIdMatcher {
  const plain = new Set(patterns.filter((pattern) => !pattern.includes('*')));
  const wild = patterns.filter((pattern) => pattern.includes('*')).map(expression);
  return (spiffeId) => plain.has(spiffeId) || wild.some((pattern) => pattern.test(spiffeId));
}

/** No segment of a SPIFFE ID is empty, and `[^/]+` ends at a slash: this takes time linear in the ID. */
function expression(pattern: string): RegExp {
  const segments = pattern.split('/').map((segment) => {
    if (segment === '**') return '.+';
    return segment === '*' ? '[^/]+' : segment.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  });
  return new RegExp(`^${segments.join('/')}$`);
}
