import { httpsGet } from '../spiffe/https-get.js';
import { MOST_BYTES, TIMEOUT, type FetchPort } from '../token/fetch-text.js';
import { readNamed } from './read-named.js';

/**
 * Node's fetch, and where roots are given the little of it that fetching metadata takes: it has no roots of its own.
 *
 * @param ca a file of roots, PEM, in place of the system's
 */
export function fetchWithRoots(ca: string | undefined): FetchPort['fetch'] {
  if (ca === undefined) return fetch;
  return async (url, init) => {
    if (!String(url).startsWith('https:')) return fetch(url, init);
    const trust = { kind: 'web', authorities: await readNamed(ca) } as const;
    const answer = await httpsGet({ url: String(url), trust, timeout: TIMEOUT, maxBytes: MOST_BYTES });
    return new Response(answer === 'unchanged' ? '' : answer.text);
  };
}
