import type { Readiness } from '../admin/http.js';
import type { Policies } from './policy-source.js';

/** For metrics; undefined while there is no policy. */
export function inForce(policies: Policies): { revision: string; loadedAt: number } | undefined {
  const revision = policies.current()?.revision;
  const loadedAt = policies.loadedAt();
  return revision === undefined || loadedAt === undefined ? undefined : { revision, loadedAt };
}

/**
 * How the policy stands, for readiness: `ok` is false while what was seen last is refused, though an older one serves.
 * Refusals name files, lines and columns.
 */
export function policyChecks(policies: Policies): Readiness['checks'] {
  const revision = policies.current()?.revision;
  const parts = policies.status();
  const errors = parts.flatMap(({ name, error }) => {
    if (error === undefined) return [];
    return [`${parts.length === 1 ? '' : `${name}: `}${error.code}: ${error.detail}`];
  });
  const serves = revision === undefined ? 'none has loaded yet' : `revision ${revision}`;
  return {
    policy: {
      ok: revision !== undefined && errors.length === 0,
      detail: [serves, ...errors].join('\n'),
    },
  };
}
